"""The numbers of a call, in CloudWatch's Embedded Metric Format: they stand in the line that the call logs anyway.

CloudWatch reads them out of the log, so a call pays for no request to anybody. Every dimension has a closed set of
values: functions, kinds of guards, names of refusals and outcomes. Nothing in here can tell one person from another.
The specification: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from functools import cache
from typing import Any, NamedTuple

from shared.settings import Setting, read_optional

OTHER = "other"

# What a call can come to. A test holds this to the lists of shared/data/store.py, which a webhook must not import.
OUTCOMES = frozenset(
    {
        *("answered", "ran", "settled", "refused", "failed", "fault"),
        # of a turn
        *("replied", "merged", "handed_to_person", "unsupported"),
        # of an attempt to send
        *("sent", "unconfirmed", "later"),
        # of a claim that was not to be had
        *("busy", "done", "nothing", "absent"),
    }
)

_COUNT, _MILLISECONDS = "Count", "Milliseconds"


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
        return members

    def metadata(self, milliseconds: int) -> str:
        """The value of the line's `_aws`, as JSON. `milliseconds` since the epoch: when it happened."""
        directives = _directives(read_optional(Setting.STAGE), bool(self.refusal), self.queue_age_ms is not None)
        return f'{{"Timestamp": {milliseconds}, "CloudWatchMetrics": {directives}}}'


@cache
def _directives(stage: str, refused: bool, queued: bool) -> str:
    """Which members are metrics, by which dimensions. The same for nearly all calls, so it is written out once."""
    metrics = {"calls": _COUNT, "refusals": _COUNT, "duration_ms": _MILLISECONDS}
    if queued:
        metrics["queue_age_ms"] = _MILLISECONDS
    directives = [_directive(stage, [["function"], ["guard"]], metrics)]
    directives.append(_directive(stage, [["function", "outcome"]], {"calls": _COUNT}))
    if refused:
        directives.append(_directive(stage, [["function", "refusal"]], {"refusals": _COUNT}))
    return json.dumps(directives)


def _directive(stage: str, dimensions: list[list[str]], metrics: dict[str, str]) -> dict[str, Any]:
    return {
        "Namespace": f"portero/{stage}" if stage else "portero",
        "Dimensions": dimensions,
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in metrics.items()],
    }
