"""Requests to delete a person's data that came through Meta, and how they stand. Light: a webhook imports it."""

import os
import re
from datetime import UTC, datetime
from typing import NamedTuple

from shared.clock import Deadline
from shared.data.database import call

CODE_BYTES = 16

_CODE = re.compile(rf"[0-9a-f]{{{2 * CODE_BYTES}}}")


class Status(NamedTuple):
    """`kind`: "deletion" or "deauthorize"; `state`: "received", "done", "nothing_found" or "refused"."""

    kind: str
    state: str
    received_at: datetime
    settled_at: datetime | None


def keep(kind: str, user: str, issued_at: int, deadline: Deadline) -> str:
    """Keep a request once; its confirmation code, the same for each delivery. `issued_at` in seconds since the epoch.

    Raises Unavailable; nothing was kept then, and Meta comes again.
    """
    arguments = {
        "p_kind": kind,
        "p_user": user,
        "p_issued_at": datetime.fromtimestamp(issued_at, UTC).isoformat(),
        "p_code": os.urandom(CODE_BYTES).hex(),
    }
    code: str = call("keep_deletion_request", arguments, deadline)["code"]
    return code


def status(code: str, deadline: Deadline) -> Status | None:
    """How the request with this code stands, or None when there is no such request. Raises Unavailable."""
    if _CODE.fullmatch(code) is None:
        return None
    found = call("deletion_status", {"p_code": code}, deadline)
    if found is None:
        return None
    settled_at = found["settled_at"]
    return Status(
        found["kind"],
        found["state"],
        datetime.fromisoformat(found["received_at"]),
        datetime.fromisoformat(settled_at) if settled_at else None,
    )
