import threading
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws import Cloud, serve
from local.runtime import Invocation
from local.schedules import Schedules, period_of
from local.template import Schedule, Template, TemplateError

PARAMETER = "{{resolve:ssm:/shop/test/TRIGGER}}"


class Functions:
    """Stands for the functions: keeps what it was handed."""

    def __init__(self) -> None:
        self.handed: list[tuple[str, Any]] = []
        self.arrived = threading.Event()

    def invoke(self, function: str, event: dict[str, Any]) -> Invocation:
        self.handed.append((function, event))
        self.arrived.set()
        return Invocation("id", 0.0, None)


def template_of(*schedules: Schedule) -> Template:
    return Template("shop", "test", "sa-east-1", "123456789012", "python3.13", schedules=list(schedules))


@pytest.fixture(scope="module")
def ssm() -> Iterator[Any]:
    """The parameters of an account: one that CloudFormation resolves, and one that it does not."""
    plain_for = Schedule("any", "rate(1 minute)", {"key": PARAMETER})
    with serve() as url:
        cloud = Cloud(url, template_of(plain_for), {"TRIGGER": 'a "quoted" key', "SECRET": "x"})
        cloud.create()
        yield cloud.client("ssm")


@pytest.fixture
def functions() -> Functions:
    return Functions()


def schedules_of(ssm: Any, functions: Functions, *schedules: Schedule) -> Schedules:
    return Schedules(template_of(*schedules), functions.invoke, ssm)


def test_the_input_is_the_event_with_its_parameters(ssm: Any, functions: Functions) -> None:
    entry = {"schedule": "tidy", "deep": [{"authorization": f"Bearer {PARAMETER}"}], "number": 1}
    schedules = schedules_of(ssm, functions, Schedule("tidy", "rate(1 minute)", entry))
    assert len(schedules.fire("tidy")) == 1
    expected = {"schedule": "tidy", "deep": [{"authorization": 'Bearer a "quoted" key'}], "number": 1}
    assert functions.handed == [("tidy", expected)]


def test_without_an_input_the_event_is_that_of_eventbridge(ssm: Any, functions: Functions) -> None:
    schedules_of(ssm, functions, Schedule("tidy", "cron(0 4 * * ? *)", None)).fire("tidy")
    [(_, event)] = functions.handed
    assert (event["source"], event["detail-type"], event["detail"]) == ("aws.events", "Scheduled Event", {})


@pytest.mark.parametrize("reference", ["ssm-secure:/shop/test/SECRET", "secretsmanager:name"])
def test_other_references_are_refused(ssm: Any, functions: Functions, reference: str) -> None:
    schedules = schedules_of(ssm, functions, Schedule("tidy", "rate(1 day)", {"key": f"{{{{resolve:{reference}}}}}"}))
    with pytest.raises(TemplateError, match=reference):
        schedules.fire("tidy")
    assert functions.handed == []


def test_a_secure_parameter_is_refused(ssm: Any, functions: Functions) -> None:
    schedule = Schedule("tidy", "rate(1 day)", {"key": "{{resolve:ssm:/shop/test/SECRET}}"})
    with pytest.raises(TemplateError, match="SecureString"):
        schedules_of(ssm, functions, schedule).fire("tidy")
    assert functions.handed == []


def test_a_function_without_a_schedule_is_not_fired(ssm: Any, functions: Functions) -> None:
    with pytest.raises(ValueError, match="nobody"):
        schedules_of(ssm, functions, Schedule("tidy", "rate(1 day)", None)).fire("nobody")


def test_the_clock_fires_after_each_whole_period(ssm: Any, functions: Functions) -> None:
    schedules = schedules_of(
        ssm,
        functions,
        Schedule("often", "rate(1 minute)", {}),
        Schedule("rarely", "rate(2 minutes)", {}),
        Schedule("by hand", "cron(0 4 * * ? *)", {}),
        Schedule("not yet", "rate(1 minute)", {}, enabled=False),
    )
    fired = {now: schedules.fire_due(float(now)) for now in (1000, 1059, 1060, 1061, 1120, 1500, 1501)}
    assert fired == {1000: 0, 1059: 0, 1060: 1, 1061: 0, 1120: 2, 1500: 2, 1501: 0}
    assert [function for function, _ in functions.handed] == ["often", "often", "rarely", "often", "rarely"]


def test_running_follows_the_clock_until_it_is_stopped(ssm: Any, functions: Functions) -> None:
    schedules = schedules_of(ssm, functions, Schedule("tidy", "rate(1 minute)", {}))
    schedules.fire_due(0.0)
    stop = threading.Event()
    thread = threading.Thread(target=schedules.run, args=(stop, lambda: 60.0))
    thread.start()
    assert functions.arrived.wait(10)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("rate(1 minute)", 60),
        ("rate(5 minutes)", 300),
        ("rate(1 hour)", 3600),
        ("rate(2 days)", 172_800),
        ("cron(0 4 * * ? *)", None),
    ],
)
def test_periods(expression: str, seconds: float | None) -> None:
    assert period_of(Schedule("tidy", expression, None)) == seconds


@pytest.mark.parametrize("expression", ["rate(soon)", "every day", "at(2030-01-01T00:00:00)"])
def test_what_is_no_period_is_named(expression: str) -> None:
    with pytest.raises(TemplateError, match="is neither"):
        period_of(Schedule("tidy", expression, None))
