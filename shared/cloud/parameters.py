"""Secrets from the parameter store, read at run time and kept for five minutes.

A secret is a list, newest first, so that it can be rotated without a gap: `[{"value": "...", "expires": null}, ...]`
with RFC 3339 times. Usually two are live: the one in use and the one before it.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from shared import clock
from shared.cloud import aws
from shared.errors import Unavailable
from shared.settings import Secret, Setting, read

KEEP_SECONDS = 300
FETCH_SECONDS = 1.0
# One GetParameters call takes ten names at most.
NAMES_PER_CALL = 10


class _Kept(NamedTuple):
    values: tuple[tuple[str, float], ...]  # value, expiry in seconds since the epoch
    fetched_at: float


_cache: dict[Secret, _Kept] = {}


def prepare(names: Iterable[Secret]) -> None:
    """Fetch what is not in the cache or too old, in as few calls as there can be.

    Raises Unavailable (`secret_missing_<NAME>`, `secret_malformed_<NAME>`) when one of them is absent or malformed. If
    the store is away, values fetched less than an hour ago still serve.
    """
    now = clock.now()
    wanted = [name for name in names if name not in _cache or now - _cache[name].fetched_at > KEEP_SECONDS]
    for first in range(0, len(wanted), NAMES_PER_CALL):
        _fetch(wanted[first : first + NAMES_PER_CALL], now)


def live(name: Secret) -> tuple[str, ...]:
    """The live values of a secret, newest first; never empty.

    Raises Unavailable (`secret_missing_<NAME>`).
    """
    prepare([name])
    now = clock.now()
    values = tuple(value for value, expires in _cache[name].values if expires > now)
    if not values:
        raise Unavailable(f"secret_missing_{name}")
    return values


def current(name: Secret) -> str:
    """The newest live value: the one to sign or call with."""
    return live(name)[0]


def forget() -> None:
    """Drop the cache, so that the next request reads the store."""
    _cache.clear()


def _fetch(names: list[Secret], now: float) -> None:
    prefix = read(Setting.PARAMETER_PREFIX)
    try:
        found = aws.call_json(
            "ssm",
            aws.endpoint("ssm") + "/",
            "AmazonSSM.GetParameters",
            "1.1",
            {"Names": [f"{prefix}/{name}" for name in names], "WithDecryption": True},
            FETCH_SECONDS,
        )
    except Unavailable:
        if all(name in _cache and now - _cache[name].fetched_at < 3600 for name in names):
            return
        raise
    texts = {parameter["Name"]: parameter["Value"] for parameter in found.get("Parameters", [])}
    for name in names:
        text = texts.get(f"{prefix}/{name}")
        if text is None:
            raise Unavailable(f"secret_missing_{name}")
        _cache[name] = _Kept(_parse(name, text), now)


def _parse(name: Secret, text: str) -> tuple[tuple[str, float], ...]:
    try:
        entries = [(str(entry["value"]).strip(), _expiry(entry["expires"])) for entry in json.loads(text)]
    except (ValueError, KeyError, TypeError):
        raise Unavailable(f"secret_malformed_{name}") from None
    # An empty secret would admit an attacker who signs with an empty key.
    return tuple((value, expires) for value, expires in entries if value)


def _expiry(text: str | None) -> float:
    return float("inf") if text is None else datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
