"""Calendar windows: the day and the month that a moment falls into, in a business's own time zone.

A day has 23 to 25 hours where clocks change. Midnight is the first one where there are two, and the moment of the
change where there is none (PEP 495: fold=0, and its rule for gaps).
"""

from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# Where zoneinfo finds its zones on an image that has none; named here so that it is packaged.
import tzdata  # noqa: F401

UNKNOWN_ZONE = "UTC"
ZONES_KEPT = 512


class Window(NamedTuple):
    """From `start` until just before `end`: milliseconds since the epoch."""

    start: int
    end: int


class Windows(NamedTuple):
    """The day and the month around a moment."""

    day: Window
    month: Window


_latest: dict[str, Windows] = {}


def windows(zone: str, moment: float) -> Windows:
    """The windows around `moment` (seconds since the epoch). A zone that nobody knows counts as UTC."""
    found = _latest.get(zone)
    milliseconds = int(moment * 1000)
    if found is None or not found.day.start <= milliseconds < found.day.end:
        found = _windows(zone, moment)
        _latest[zone] = found
        if len(_latest) > ZONES_KEPT:
            _latest.pop(next(iter(_latest)))
    return found


def _windows(zone: str, moment: float) -> Windows:
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        place = ZoneInfo(UNKNOWN_ZONE)
    today = datetime.fromtimestamp(moment, place).date()
    first = today.replace(day=1)
    next_first = (first + timedelta(days=32)).replace(day=1)
    return Windows(
        Window(_midnight(today, place), _midnight(today + timedelta(days=1), place)),
        Window(_midnight(first, place), _midnight(next_first, place)),
    )


def _midnight(day: date, place: ZoneInfo) -> int:
    """Milliseconds since the epoch. A midnight inside a gap is read with the offset before it: the moment of change."""
    return int(datetime(day.year, day.month, day.day, tzinfo=place).timestamp() * 1000)
