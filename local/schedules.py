"""The local EventBridge: the schedules of serverless.yml, fired by hand or by the clock.

A schedule's input may hold {{resolve:ssm:NAME}}: CloudFormation puts the parameter's value there at deployment, and
refuses a SecureString. Lambda's two later tries of a failed asynchronous event are left out.
"""

import json
import re
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from local.runtime import Invocation, Invoke
from local.template import Schedule, Template, TemplateError

SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}
TICK_SECONDS = 1.0


class Schedules:
    """The schedules of the template; `ssm` is a boto3 client."""

    def __init__(self, template: Template, invoke: Invoke, ssm: Any) -> None:
        self._template = template
        self._invoke = invoke
        self._ssm = ssm
        self._due: dict[int, float] = {}

    def fire(self, function: str) -> list[Invocation]:
        """Invoke a function now, once for each schedule that it has. Raises ValueError when it has none."""
        schedules = [schedule for schedule in self._template.schedules if schedule.function == function]
        if not schedules:
            raise ValueError(f"{function} has no schedule in the template")
        return [self._invoke(function, self._event(schedule)) for schedule in schedules]

    def fire_due(self, now: float) -> int:
        """Fire each rate(...) schedule whose time has come; `now` is in seconds. Answers how many were.

        The first call only starts the clock: a schedule fires after one whole period. cron(...), and what is not
        enabled, is fired by hand only.
        """
        fired = 0
        for index, schedule in enumerate(self._template.schedules):
            period = period_of(schedule)
            if not schedule.enabled or period is None or now < self._due.setdefault(index, now + period):
                continue
            self._due[index] = now + period
            self._invoke(schedule.function, self._event(schedule))
            fired += 1
        return fired

    def run(self, stop: threading.Event, clock: Callable[[], float] = time.time) -> None:
        """Fire schedules by the clock (seconds) until `stop` is set. An error is printed and does not end it."""
        while not stop.is_set():
            try:
                self.fire_due(clock())
            except Exception:
                traceback.print_exc()
            stop.wait(TICK_SECONDS)

    def _event(self, schedule: Schedule) -> Any:
        if schedule.input is not None:
            return json.loads(self._with_parameters(json.dumps(schedule.input)))
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": self._template.account,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self._template.region,
            "resources": [self._template.arn("events", f"rule/{schedule.function}")],
            "detail": {},
        }

    def _with_parameters(self, text: str) -> str:
        """The JSON text with every {{resolve:ssm:NAME}} replaced by the parameter's value."""
        return re.sub(r"\{\{resolve:([^}]*)\}\}", lambda hole: self._parameter(hole[1]), text)

    def _parameter(self, reference: str) -> str:
        service, _, name = reference.partition(":")
        if service != "ssm":
            raise TemplateError(f"{{{{resolve:{reference}}}}} is not understood: only ssm is")
        parameter = self._ssm.get_parameter(Name=name)["Parameter"]
        if parameter["Type"] == "SecureString":
            raise TemplateError(f"{name} is a SecureString, which CloudFormation does not resolve in a schedule")
        return json.dumps(parameter["Value"])[1:-1]


def period_of(schedule: Schedule) -> float | None:
    """Seconds between two firings of a rate(...) schedule; None for cron(...). Raises TemplateError for neither."""
    if schedule.expression.startswith("cron("):
        return None
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule.expression)
    if match is None:
        raise TemplateError(f"{schedule.expression!r} of {schedule.function} is neither rate(...) nor cron(...)")
    return float(match[1]) * SECONDS[match[2]]
