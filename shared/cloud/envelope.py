"""What travels in a queue: ids, the queue's name and a time, under a MAC. Never text of a customer.

Body: 64 lowercase hex digits of HMAC-SHA256, a dot, then the JSON bytes that the MAC covers. A message planted by
somebody who may write to the queue but does not hold the key is refused by the guard of the reader.
"""

import hmac
import json


def seal(queue: str, ids: dict[str, str], key: str, now: float) -> str:
    """The message body for `queue` carrying `ids`; `now` in seconds since the epoch."""
    payload = json.dumps({"queue": queue, "at": int(now), "ids": ids}, separators=(",", ":"), sort_keys=True)
    return f"{hmac.new(key.encode(), payload.encode(), 'sha256').hexdigest()}.{payload}"
