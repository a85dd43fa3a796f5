"""What PostgreSQL can hold of what comes from outside: the rule for texts and the rule for moments, here only.

A text may hold any character but U+0000 and lone halves of surrogate pairs. A moment lies in the years 2010 to 2099:
what a sender says beside that is a mistake or a trick, and much of it no type of PostgreSQL or Python could hold.
Console functions refuse such a value; of a webhook, where one bad item must not cost its siblings, each bad character
becomes U+FFFD and an absurd moment the time of arrival. Light: webhooks import it.
"""

import re
from datetime import UTC, datetime
from typing import Any

REPLACEMENT = "\ufffd"
EARLIEST = datetime(2010, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
# From here on a number is in milliseconds; as seconds it would be the year 33658.
MILLISECONDS_FROM = 1e12

_EARLIEST_SECONDS, _LATEST_SECONDS = EARLIEST.timestamp(), LATEST.timestamp()
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def is_storable(value: Any) -> bool:
    """Whether every text of a JSON value can be kept, keys too."""
    if isinstance(value, str):
        return _UNSTORABLE.search(value) is None
    if isinstance(value, dict):
        return all(is_storable(key) and is_storable(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(is_storable(inner) for inner in value)
    return True


def repaired(value: Any) -> Any:
    """The JSON value with U+FFFD in place of each character that cannot be kept. Nothing else of it is lost."""
    if isinstance(value, str):
        return _UNSTORABLE.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return _repaired_object(value)
    if isinstance(value, list):
        return [repaired(inner) for inner in value]
    return value


def moment_of(said: object, otherwise: float) -> datetime:
    """When something happened, as a provider says it: in seconds or milliseconds since the epoch, or in RFC 3339.

    `otherwise` (seconds since the epoch) when there is nothing that could be a moment of these years.
    """
    found = _read_number(said) if isinstance(said, int | float | str) else None
    if found is None and isinstance(said, str):
        found = _read_text(said)
    return found or datetime.fromtimestamp(otherwise, UTC)


def require_moment(said: object) -> datetime:
    """The moment that a person's request names, in RFC 3339 with an offset. Raises ValueError for anything else."""
    found = _read_text(said) if isinstance(said, str) else None
    if found is None:
        raise ValueError("a moment of the years 2010 to 2099, in RFC 3339 with an offset")
    return found


def _repaired_object(value: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, inner in value.items():
        name = repaired(key)
        # Two keys that differ in what cannot be kept are still two.
        while name in result or (name != key and name in value):
            name += REPLACEMENT
        result[name] = repaired(inner)
    return result


def _read_number(said: float | str) -> datetime | None:
    try:
        seconds = float(said)
    except (ValueError, OverflowError):
        return None
    if seconds >= MILLISECONDS_FROM:
        seconds /= 1000
    # Compared as numbers first: not every number is a moment. NaN is neither.
    if not _EARLIEST_SECONDS <= seconds < _LATEST_SECONDS:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _read_text(said: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        return None
    if moment.tzinfo is None or not EARLIEST <= moment < LATEST:
        return None
    return moment.astimezone(UTC)
