"""A rate limit that all environments share: the generic cell rate algorithm in one Redis script, one round trip.

The caller's clock is used, as the script must be the same on every replica; the key expires by itself.
"""

from shared import clock
from shared.clock import Deadline
from shared.cloud.upstash import Script, StoreAway, run_script
from shared.errors import Unavailable

MAXIMUM_SECONDS = 1.5

# KEYS[1] the rate; ARGV: now, increment and burst in microseconds. Answers 0 when admitted, else microseconds to wait.
_SCRIPT = Script("""
local now, increment, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now) + increment
if arrival - now > burst then
  return {arrival - now - burst}
end
redis.call('SET', KEYS[1], string.format('%d', arrival), 'PX', math.ceil((arrival - now) / 1000))
return {0}
""")


def wait(key: str, limit: int, seconds: int, deadline: Deadline) -> int:
    """Zero, and the call is counted; or the whole seconds until the next of `limit` calls per `seconds` is free.

    Raises Unavailable (`rate_store_away`) when the store does not answer in time: the caller declared what then.
    """
    increment = seconds * 1_000_000 // limit
    arguments = [str(int(clock.now() * 1_000_000)), str(increment), str(seconds * 1_000_000)]
    try:
        [left] = run_script(_SCRIPT, [key], arguments, Deadline(min(MAXIMUM_SECONDS, deadline.remaining())))
        microseconds = int(left)
    except (StoreAway, ValueError, TypeError):
        raise Unavailable("rate_store_away") from None
    return -(-microseconds // 1_000_000)
