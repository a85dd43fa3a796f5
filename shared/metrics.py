"""The numbers of a call, in CloudWatch's Embedded Metric Format: they stand in the line that the call logs anyway.

CloudWatch reads them out of the log, so a call pays for no request to anybody. Every dimension has a closed set of
values: functions, kinds of guards, names of refusals and outcomes. Nothing in here can tell one person from another.
The specification: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, NamedTuple

from shared.settings import Setting, read_optional

OTHER = "other"

# What a call can come to. A test holds this to the lists of shared/data/store.py, which a webhook must not import.
OUTCOMES = frozenset(
    {
        *("answered", "ran", "settled", "refused", "failed", "fault"),
        # of a turn
        *("replied", "merged", "handed_to_person", "opted_out", "over_budget", "outside_window", "blocked", "looped"),
        *("outside_hours", "unsupported"),
        # of media
        "kept",
        # of an attempt to send
        *("sent", "unconfirmed", "later", "overtaken"),
        # of a claim that was not to be had
        *("busy", "done", "nothing", "absent"),
        # of a message that stood for many turns
        "spread",
    }
)

_COUNT, _MILLISECONDS = "Count", "Milliseconds"


class _Notes:
    """What an admission has to say of the running call."""

    def __init__(self) -> None:
        self.denial = ""
        self.counts: dict[str, int] = {}
        self.breakers: list[str] = []


_notes: ContextVar[_Notes | None] = ContextVar("notes", default=None)


@contextmanager
def noting() -> Iterator[None]:
    """Within the block what is noted belongs to the next Call that is counted in it."""
    mark = _notes.set(_Notes())
    try:
        yield
    finally:
        _notes.reset(mark)


def note_denial(reason: str) -> None:
    """An admission was denied, for one of the reasons of shared/abuse/admission.py."""
    if notes := _notes.get():
        notes.denial = reason


def note_overdraft(amount: int) -> None:
    """More was used than was held: so many units."""
    _count("overdraft", amount)


def note_unsettled() -> None:
    """A hold's end could not be told to the store, or to the ledger."""
    _count("unsettled", 1)


def note_alert(policy: str, level: int) -> None:
    """A budget has reached 80 or 100 per cent of its limit."""
    _count("budgets_spent" if level >= 100 else "budgets_near", 1)


def note_guard(what: str) -> None:
    """The guards of texts had something to say: "flagged" or "blocked" of what came, "refused" of an answer."""
    _count(f"guard_{what}", 1)


def note_stale_secrets() -> None:
    """Note that the call is served with secrets whose refresh failed; once a call, as a call reads them often."""
    if notes := _notes.get():
        notes.counts["stale_secrets"] = 1


def note_drift(amount: int) -> None:
    """Store and ledger differ by so many units."""
    _count("budget_drift", amount)


def note_quarantine_full() -> None:
    """Quarantine took no more unverified deliveries. Noted once in ten minutes of an environment."""
    _count("quarantine_full", 1)


def note_breaker(dependency: str, event: str) -> None:
    """A breaker has "opened" or "closed"."""
    if notes := _notes.get():
        notes.breakers.append(f"{dependency} {event}")
    _count(f"breakers_{event}", 1)


def _count(name: str, amount: int) -> None:
    if amount and (notes := _notes.get()):
        notes.counts[name] = notes.counts.get(name, 0) + amount


def noted() -> dict[str, Any]:
    """What was noted, as members of the call's line."""
    notes = _notes.get()
    if notes is None:
        return {}
    members: dict[str, Any] = dict(notes.counts)
    if notes.denial:
        members |= {"denial": notes.denial, "denials": 1}
    if notes.breakers:
        members["breakers"] = ", ".join(notes.breakers)
    return members


class Call(NamedTuple):
    """What is counted of one HTTP call, one run of a schedule, or one record of a queue.

    `outcome` is one of OUTCOMES, `refusal` the name of a Refused; `queue_age_ms` is how long a record had waited.
    """

    outcome: str
    duration_ms: int
    refusal: str = ""
    queue_age_ms: int | None = None

    def members(self) -> dict[str, Any]:
        """What the line must hold for CloudWatch, beside `function` and `guard`."""
        members: dict[str, Any] = {
            "outcome": self.outcome if self.outcome in OUTCOMES else OTHER,
            "duration_ms": self.duration_ms,
            "calls": 1,
            "refusals": 1 if self.refusal else 0,
        }
        if self.refusal:
            members["refusal"] = self.refusal
        if self.queue_age_ms is not None:
            members["queue_age_ms"] = self.queue_age_ms
        return members | noted()

    def metadata(self, milliseconds: int) -> str:
        """The value of the line's `_aws`, as JSON. `milliseconds` since the epoch: when it happened."""
        counts = tuple(name for name, value in noted().items() if isinstance(value, int))
        stage = read_optional(Setting.STAGE)
        directives = _directives(stage, bool(self.refusal), self.queue_age_ms is not None, counts)
        return f'{{"Timestamp": {milliseconds}, "CloudWatchMetrics": {directives}}}'


@cache
def _directives(stage: str, refused: bool, queued: bool, counts: tuple[str, ...] = ()) -> str:
    """Which members are metrics, by which dimensions. The same for nearly all calls, so it is written out once."""
    metrics = {"calls": _COUNT, "refusals": _COUNT, "duration_ms": _MILLISECONDS}
    if queued:
        metrics["queue_age_ms"] = _MILLISECONDS
    directives = [_directive(stage, [["function"], ["guard"]], metrics)]
    directives.append(_directive(stage, [["function", "outcome"]], {"calls": _COUNT}))
    if refused:
        directives.append(_directive(stage, [["function", "refusal"]], {"refusals": _COUNT}))
    if "denials" in counts:
        directives.append(_directive(stage, [["function", "denial"]], {"denials": _COUNT}))
    if others := [name for name in counts if name != "denials"]:
        directives.append(_directive(stage, [["function"], []], dict.fromkeys(others, _COUNT)))
    return json.dumps(directives)


def _directive(stage: str, dimensions: list[list[str]], metrics: dict[str, str]) -> dict[str, Any]:
    return {
        "Namespace": f"portero/{stage}" if stage else "portero",
        "Dimensions": dimensions,
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in metrics.items()],
    }
