"""Upstash's REST protocol, thin: one script or one command in one round trip, every wait bounded.

The official client waits without an end and repeats blindly after three seconds (docs/decisions/0009). Here a request
is delivered at most twice, the second time only when the first had no complete answer, and what is sent twice must
answer the same: the admission script knows the id of a request that it has seen.
"""

import hashlib
import json
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from shared import clock
from shared.clock import Deadline
from shared.cloud import transport
from shared.cloud.parameters import current
from shared.errors import Unavailable
from shared.settings import Secret, Setting, read_url

# For one try.
MAXIMUM_SECONDS = 0.4
# Bytes. The longest answers are hashes of one tenant's budgets.
MAX_BYTES = 1024 * 1024
DELIVERIES = 2
# The header tells whole seconds, so less than this is no difference.
TOLERATED_SKEW = 2.0

_skew = 0.0


class StoreAway(Unavailable):
    """The store did not answer in time, or not as it should: `redis_<reason>`."""


class Script:
    """A Lua script, known to the store by its digest once it was sent whole."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def skew() -> float:
    """Seconds to add to our own clock to have the store's; 0 while they differ by no more than two."""
    return _skew


def run_script(script: Script, keys: Sequence[str], arguments: Sequence[str], deadline: Deadline) -> list[Any]:
    """The script's answer. Raises StoreAway; what the script did by then, the same request finds done."""
    rest = [str(len(keys)), *keys, *arguments]
    try:
        answer = run(["EVALSHA", script.sha, *rest], deadline)
    except _Unknown:
        # Only this answer says that nothing was done.
        answer = run(["EVAL", script.text, *rest], deadline)
    if not isinstance(answer, list):
        raise StoreAway("redis_malformed")
    return answer


def run(command: Sequence[str], deadline: Deadline) -> Any:
    """One command's answer. Raises StoreAway."""
    body = json.dumps(command).encode()
    headers = {
        "authorization": f"Bearer {current(Secret.UPSTASH_REDIS_REST_TOKEN)}",
        "content-type": "application/json",
    }
    url = read_url(Setting.UPSTASH_REDIS_REST_URL)
    for delivery in range(1, DELIVERIES + 1):
        seconds = min(MAXIMUM_SECONDS, deadline.remaining())
        if seconds <= 0:
            raise StoreAway("redis_deadline")
        try:
            answer = transport.send(
                Setting.UPSTASH_REDIS_REST_URL, "POST", url, headers, body, seconds, max_bytes=MAX_BYTES, repeat=False
            )
            break
        except Unavailable as problem:
            if delivery == DELIVERIES:
                raise StoreAway(f"redis_{problem.name}") from None
    _notice(answer.headers.get("date", ""))
    return _result(answer)


class _Unknown(StoreAway):
    """The store does not know the script."""


def _result(answer: transport.Answer) -> Any:
    """Nothing of what went wrong is told but its kind: an answer may hold what was sent."""
    if answer.status not in (200, 400):
        raise StoreAway(f"redis_status_{answer.status}")
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise StoreAway("redis_malformed")
    if answer.status == 200 and "result" in said:
        return said["result"]
    error = said.get("error")
    if not isinstance(error, str):
        raise StoreAway("redis_malformed")
    if error.startswith("NOSCRIPT"):
        raise _Unknown("redis_script_unknown")
    # A quota that is used up: never to be taken for a yes.
    raise StoreAway("redis_quota" if "limit exceeded" in error else "redis_refused")


def _notice(date: str) -> None:
    """How far our clock is from the store's, by the answer's Date (RFC 9110, 6.6.1)."""
    global _skew
    try:
        difference = parsedate_to_datetime(date).timestamp() - clock.now()
    except (ValueError, OverflowError):
        return
    _skew = difference if abs(difference) > TOLERATED_SKEW else 0.0
