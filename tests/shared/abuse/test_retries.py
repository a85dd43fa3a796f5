import pytest

from shared.abuse import retries
from shared.abuse.retries import RetryBudget, pause, seconds_asked
from shared.clock import Deadline


def test_retries_end_when_failures_are_many_and_come_back_with_successes() -> None:
    budget = RetryBudget()
    assert [budget.failed() for _ in range(6)] == [True, True, True, True, False, False]
    for _ in range(30):
        budget.succeeded()
    assert budget.failed()


def test_a_pause_has_full_jitter_and_none_is_begun_that_the_deadline_would_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(retries.time, "sleep", slept.append)
    for attempt in range(200):
        assert pause(attempt % 6, Deadline(60), 1.0)
    assert max(slept) <= retries.LONGEST_SECONDS
    assert min(slept) < 0.1
    before = len(slept)
    assert not pause(0, Deadline(0.5), 1.0)
    assert len(slept) == before


@pytest.mark.parametrize(
    ("headers", "status", "seconds"),
    [
        ({}, 200, 0.0),
        ({"retry-after": "7"}, 503, 0.0),
        ({"retry-after": "7"}, 429, 7.0),
        ({}, 429, 10.0),
        ({"retry-after": "Thu, 26 Nov 2026 10:00:00 GMT"}, 429, 10.0),
        ({"retry-after": "-3"}, 429, 0.0),
        ({"retry-after": "99999999"}, 429, 3600.0),
    ],
)
def test_what_a_provider_asks_for(headers: dict[str, str], status: int, seconds: float) -> None:
    assert seconds_asked(headers, status) == seconds
