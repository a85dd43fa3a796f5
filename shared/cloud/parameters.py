"""Secrets from the parameter store, read at run time and cached for five minutes.

A secret is a JSON list, newest value first, so that it can be rotated without a gap:
`[{"value": "...", "expires": null}, ...]` with RFC 3339 times. Usually two are live: the one in use and the one before.

A parameter store that fails does not stop a function that has read its secrets: values serve for one hour after they
were fetched. Meanwhile one call in each back-off interval tries again, and only that call waits.
"""

import json
import logging
import re
import threading
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from shared import clock, metrics
from shared.clock import Deadline
from shared.cloud import aws
from shared.errors import Unavailable
from shared.settings import Secret, Setting, read

log = logging.getLogger("portero")

KEEP_SECONDS = 300
# Seconds since the fetch. A value that was revoked without an expiry serves so long if the store fails just then.
STALE_SECONDS = 3600
# Seconds, all batches together: without a value the call cannot go on, with one it should not be slow.
FETCH_SECONDS, REFRESH_SECONDS = 1.0, 0.5
# Seconds between two tries while a value serves, doubled after each failure.
FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 5.0, 60.0
# Seconds in which a secret without a value is not tried again after a try that hung. Other failures cost no time.
HUNG_RETRY_SECONDS = 1.0
_HANGS = frozenset({"upstream_timeout", "upstream_connect_TimeoutError"})
# One GetParameters call takes ten names at most.
NAMES_PER_CALL = 10
# Bytes. A shorter secret can be guessed; our own are random, so 32 cost nothing.
MIN_BYTES, MIN_OWN_BYTES = 16, 32
OWN_SECRETS = frozenset({Secret.QUEUE_KEY, Secret.CRON_SECRET, Secret.PSEUDONYM_KEY, Secret.META_VERIFY_TOKEN})
# Secrets travel in headers, where blanks and other signs are lost or end a line.
_VALUE = re.compile(r"[!-~]*")
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"

FETCH_BUSY = "secret_fetch_busy"

_Values = tuple[tuple[str, float], ...]  # value, expiry in seconds since the epoch


class _Cached(NamedTuple):
    values: _Values
    fetched_at: float


class _Failure(NamedTuple):
    """The last fetch, if it failed: the number of failures in a row, its time, and the problem of each secret."""

    in_a_row: int
    failed_at: float
    problems: dict[Secret, str]


_cache: dict[Secret, _Cached] = {}
_failure: _Failure | None = None
_fetching = threading.Lock()


def prepare(names: Iterable[Secret]) -> None:
    """Fetch the secrets that are not cached or older than KEEP_SECONDS, in as few calls as possible.

    Raises Unavailable (`secret_missing_<NAME>`, `secret_malformed_<NAME>`, `secret_too_short_<NAME>`, or the problem of
    the call) if a secret has no value younger than STALE_SECONDS.
    """
    wanted = [name for name in names if not _is_younger(name, KEEP_SECONDS)]
    if not wanted:
        return
    is_servable = all(_is_younger(name, STALE_SECONDS) for name in wanted)
    # One refresh at a time: a call that has values goes on with them, another waits for the refresh.
    if _fetching.acquire(timeout=0 if is_servable else FETCH_SECONDS):
        try:
            due = [name for name in wanted if not _is_younger(name, KEEP_SECONDS) and _is_due(name)]
            _refresh(due, Deadline(REFRESH_SECONDS if is_servable else FETCH_SECONDS))
        finally:
            _fetching.release()
    for name in wanted:
        if not _is_younger(name, STALE_SECONDS):
            raise Unavailable(_failure.problems.get(name, FETCH_BUSY) if _failure else FETCH_BUSY)
    if not all(_is_younger(name, KEEP_SECONDS) for name in wanted):
        metrics.note_stale_secrets()


def live(name: Secret) -> tuple[str, ...]:
    """The live values of a secret, newest first; never empty.

    Raises Unavailable (`secret_missing_<NAME>`, and what `prepare` raises).
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
    global _failure
    _failure = None
    _cache.clear()


def _is_younger(name: Secret, seconds: float) -> bool:
    cached = _cache.get(name)
    return cached is not None and 0 <= clock.now() - cached.fetched_at < seconds


def _is_due(name: Secret) -> bool:
    """Whether the back-off allows another try."""
    if _failure is None:
        return True
    if _is_younger(name, STALE_SECONDS):
        pause = min(MAX_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(_failure.in_a_row - 1, 8))
    elif _failure.problems.get(name) in _HANGS:
        pause = HUNG_RETRY_SECONDS
    else:
        return True
    return not 0 <= clock.now() - _failure.failed_at < pause


def _refresh(names: Sequence[Secret], deadline: Deadline) -> None:
    """Fetch the secrets; a failure is kept in `_failure` for the back-off."""
    global _failure
    problems: dict[Secret, str] = {}
    for first in range(0, len(names), NAMES_PER_CALL):
        batch = names[first : first + NAMES_PER_CALL]
        try:
            problems |= _fetch(batch, deadline)
        except Unavailable as error:
            problems |= dict.fromkeys(names[first:], error.name)
            break
    if problems:
        _failure = _Failure(_failure.in_a_row + 1 if _failure else 1, clock.now(), problems)
        # Without a value the call ends with the problem, and its own line says so.
        for reason in sorted({problems[name] for name in problems if _is_younger(name, STALE_SECONDS)}):
            log.error("stale secrets in use", extra={"reason": reason, "failures": _failure.in_a_row})
    elif names:
        _failure = None


def _fetch(names: Sequence[Secret], deadline: Deadline) -> dict[Secret, str]:
    """Cache what the store holds; the problem of each secret that it does not hold in a proper form.

    A malformed value never replaces a good one. A deleted parameter does: an operator who deletes it wants it unused.
    """
    prefix, now = read(Setting.PARAMETER_PREFIX), clock.now()
    body = {"Names": [f"{prefix}/{name}" for name in names], "WithDecryption": True}
    found = aws.call_json(
        "ssm", aws.endpoint("ssm") + "/", "AmazonSSM.GetParameters", "1.1", body, deadline.remaining()
    )
    texts = _texts(found)
    problems: dict[Secret, str] = {}
    for name in names:
        text = texts.get(f"{prefix}/{name}")
        try:
            if text is None:
                _cache.pop(name, None)
                raise Unavailable(f"secret_missing_{name}")
            _cache[name] = _Cached(_parse(name, text), now)
        except Unavailable as error:
            problems[name] = error.name
    return problems


def _texts(found: dict[str, Any]) -> dict[str, str]:
    """The parameters of a response by their full names. Raises Unavailable (`ssm_malformed`)."""
    try:
        return {str(parameter["Name"]): str(parameter["Value"]) for parameter in found["Parameters"]}
    except (KeyError, TypeError):
        raise Unavailable("ssm_malformed") from None


def _parse(name: Secret, text: str) -> _Values:
    """The values of a secret. Raises Unavailable (`secret_malformed_<NAME>`, `secret_too_short_<NAME>`)."""
    try:
        entries = json.loads(text, object_pairs_hook=_without_duplicates)
        if not isinstance(entries, list) or not entries:
            raise ValueError
        values = tuple(_entry(entry) for entry in entries)
    except (ValueError, RecursionError):
        raise Unavailable(f"secret_malformed_{name}") from None
    minimum = MIN_OWN_BYTES if name in OWN_SECRETS else MIN_BYTES
    # An empty or short secret would admit an attacker who guesses it.
    if any(len(value) < minimum for value, _ in values):
        raise Unavailable(f"secret_too_short_{name}")
    return values


def _entry(entry: Any) -> tuple[str, float]:
    """One value and its expiry. Raises ValueError."""
    if not isinstance(entry, dict) or entry.keys() != {"value", "expires"}:
        raise ValueError
    value, expires = entry["value"], entry["expires"]
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise ValueError
    if expires is None:
        return value, float("inf")
    if not isinstance(expires, str) or not re.fullmatch(_TIME, expires):
        raise ValueError
    return value, datetime.fromisoformat(expires).timestamp()


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError
    return members
