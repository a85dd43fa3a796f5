from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.abuse.windows import windows

HOUR = 3_600_000
ZONES = ["America/Sao_Paulo", "America/Santiago", "America/Havana", "America/Mexico_City", "UTC", "Pacific/Apia"]


def at(zone: str, text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("zone", "moment", "hours"),
    [
        ("America/Sao_Paulo", "2026-11-26T12:00", 24),
        ("America/Santiago", "2026-09-06T12:00", 23),  # there is no midnight: the day begins at one
        ("America/Santiago", "2026-04-04T12:00", 25),  # 23 o'clock comes twice
        ("America/Havana", "2026-11-01T12:00", 25),  # midnight comes twice: the first one counts
        ("America/Havana", "2026-03-08T12:00", 23),
    ],
)
def test_a_day_is_as_long_as_its_clocks_say(zone: str, moment: str, hours: int) -> None:
    day = windows(zone, at(zone, moment)).day
    assert day.end - day.start == hours * HOUR


def test_midnight_that_does_not_exist_is_the_moment_of_the_change() -> None:
    day = windows("America/Santiago", at("America/Santiago", "2026-09-06T12:00")).day
    begins = datetime.fromtimestamp(day.start / 1000, ZoneInfo("America/Santiago"))
    assert begins.isoformat() == "2026-09-06T01:00:00-03:00"


def test_a_month_is_the_calendars() -> None:
    zone = "America/Sao_Paulo"
    month = windows(zone, at(zone, "2026-02-10T00:00")).month
    assert (month.start, month.end) == (at(zone, "2026-02-01") * 1000, at(zone, "2026-03-01") * 1000)


def test_a_zone_that_nobody_knows_counts_as_utc() -> None:
    moment = at("UTC", "2026-11-26T12:00")
    for unknown in ("America/Nowhere", "../etc/passwd", "", "\x00", "x" * 300):
        assert windows(unknown, moment) == windows("UTC", moment)


@given(st.sampled_from(ZONES), st.integers(1_500_000_000, 1_900_000_000))
def test_windows_hold_their_moment_and_follow_each_other(zone: str, moment: int) -> None:
    found = windows(zone, moment)
    for window in found:
        assert window.start <= moment * 1000 < window.end
    after = windows(zone, found.day.end / 1000)
    assert after.day.start == found.day.end
    assert windows(zone, found.month.end / 1000).month.start == found.month.end
