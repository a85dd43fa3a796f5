"""The public keys with which a project's Auth signs, fetched when they are needed and kept for five minutes.

PyJWT's own client waits for a dead endpoint again on every request; here a failed fetch is remembered, so that the
next callers are turned away at once. Source of the format: RFC 7517; of the address: Supabase "JWT Signing Keys".
"""

import threading
from functools import cache

from jwt import PyJWK, PyJWTError

from shared.cloud import transport
from shared.errors import Refused, Unavailable
from shared.settings import Setting

ALGORITHMS = ("ES256", "RS256")
# Supabase caches its keys for ten minutes at the edge; keeping them longer would outlive an emergency revocation.
KEPT_SECONDS = 300
FETCH_SECONDS = 2.0
# Bytes. A project has two or three keys.
MAX_BYTES = 64 * 1024
# How long after a fetch nobody asks again: for a key that was not in it, and when it failed.
UNKNOWN_KEY_SECONDS = 30
FAILED_FETCH_SECONDS = 10


class SigningKeys:
    """The keys at one address, for every thread of the process."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = self._failed_at = float("-inf")

    def find(self, name: str, now: float) -> PyJWK:
        """The key of this name (`kid`). `now` in seconds since the epoch.

        Raises Refused (`token_key_unknown`) or Unavailable (`token_keys_unreachable`, `token_keys_missing`): without
        keys nobody is admitted.
        """
        key = self._kept(name, now)
        if key is not None:
            return key
        with self._lock:
            # Another thread may have fetched while this one waited.
            key = self._kept(name, now)
            if key is not None:
                return key
            if abs(now - self._failed_at) < FAILED_FETCH_SECONDS:
                raise Unavailable("token_keys_unreachable")
            if abs(now - self._fetched_at) < UNKNOWN_KEY_SECONDS:
                raise Refused("token_key_unknown", 401)
            try:
                self._keys = self._fetch()
            except Unavailable:
                self._failed_at = now
                raise
            self._fetched_at = now
            if name not in self._keys:
                raise Refused("token_key_unknown", 401)
            return self._keys[name]

    def _kept(self, name: str, now: float) -> PyJWK | None:
        return self._keys.get(name) if abs(now - self._fetched_at) < KEPT_SECONDS else None

    def _fetch(self) -> dict[str, PyJWK]:
        try:
            # Some gateways turn away clients without a name.
            headers = {"user-agent": "portero"}
            answer = transport.send(
                Setting.SUPABASE_URL, "GET", self._address, headers, b"", FETCH_SECONDS, max_bytes=MAX_BYTES
            )
        except Unavailable:
            raise Unavailable("token_keys_unreachable") from None
        if answer.status != 200:
            raise Unavailable("token_keys_unreachable")
        try:
            entries = answer.json()["keys"]
            keys = {entry["kid"]: key for entry in entries if (key := _usable(entry)) is not None}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unavailable("token_keys_unreachable") from None
        if not keys:
            # A project that still signs with a shared secret publishes none.
            raise Unavailable("token_keys_missing")
        return keys


@cache
def keys_at(address: str) -> SigningKeys:
    """The keys at an address; the same object for every request of the process."""
    return SigningKeys(address)


def forget_keys() -> None:
    """Drop every key, so that the next token makes a fetch: for a key that was revoked in an emergency."""
    keys_at.cache_clear()


def _usable(entry: dict[str, object]) -> PyJWK | None:
    """The key, if it is one for verifying by an algorithm that is admitted here."""
    if entry.get("use", "sig") != "sig":
        return None
    try:
        key = PyJWK(entry)
    except (PyJWTError, ValueError, TypeError):
        return None
    return key if key.algorithm_name in ALGORITHMS else None
