import logging

import pytest

from shared import metrics
from shared.abuse import quarantine
from shared.errors import Refused

NOW = 1_800_000_000.0


@pytest.fixture(autouse=True)
def _empty():
    quarantine.forget()
    yield
    quarantine.forget()


def answer(source_ip: str, now: float = NOW) -> str:
    try:
        quarantine.admit(source_ip, now)
    except Refused as refused:
        return refused.name if (refused.status, bool(refused.retry_after)) == (429, True) else repr(refused)
    return "admitted"


def test_source_over_its_rate_leaves_the_others_their_own():
    assert [answer("203.0.113.1") for _ in range(quarantine.SOURCE_RATE)] == ["admitted"] * quarantine.SOURCE_RATE
    # A mapped address is the same source.
    assert {answer("203.0.113.1"), answer("::ffff:203.0.113.1")} == {"quarantine_source_full"}
    assert answer("203.0.113.2") == "admitted"
    assert answer("203.0.113.1", NOW + 60) == "admitted"


def test_full_quarantine_alerts_once_in_ten_minutes(caplog):
    for number in range(quarantine.TOTAL_RATE):
        assert answer(f"203.0.113.{number}") == "admitted"
    with metrics.noting(), caplog.at_level(logging.INFO):
        assert {answer(f"198.51.100.{number}") for number in range(9)} == {"quarantine_full"}
        assert metrics.noted() == {"quarantine_full": 1}
        assert [record.getMessage() for record in caplog.records] == ["quarantine is full"]
        # Full again later: the next alert only after its time.
        for seconds, alerts in ((300, 1), (quarantine.ALERT_SECONDS, 2)):
            answers = [answer(f"198.51.100.{number}", NOW + seconds) for number in range(quarantine.TOTAL_RATE + 9)]
            assert answers.count("quarantine_full") == 9
            assert metrics.noted() == {"quarantine_full": alerts}
