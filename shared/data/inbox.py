"""Keeping what a webhook brought. Light on purpose: this is all that a webhook imports of the store."""

from typing import Any, NamedTuple

from shared.clock import Deadline
from shared.data.database import call


class Kept(NamedTuple):
    """Counts of one body, and the turns to wake as (tenant, conversation) ids."""

    kept: int
    duplicate: int
    unknown_channel: int
    turns: tuple[tuple[str, str], ...]


def keep(items: list[dict[str, Any]], deadline: Deadline) -> Kept:
    """Keep every item once, in one database call. Items have the shape of messaging/meta_webhook.py.

    Raises Unavailable; nothing was kept then, and the provider comes again.
    """
    result = call("keep_inbox", {"p_items": items}, deadline)
    turns = tuple((turn["tenant"], turn["conversation"]) for turn in result["turns"])
    return Kept(result["kept"], result["duplicate"], result["unknown_channel"], turns)
