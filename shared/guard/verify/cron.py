"""Scheduled calls: a bearer secret in the event that EventBridge sends."""

from collections.abc import Sequence

from shared.errors import Refused
from shared.guard.verify.constant_time import find_match


def verify_bearer(authorization: object, cron_secrets: Sequence[str]) -> int:
    """The place of the live secret in `Bearer <secret>`, 0 for the newest.

    Raises Refused: `cron_secret_missing`, `cron_secret_wrong`.
    """
    if not isinstance(authorization, str) or not authorization.startswith("Bearer "):
        raise Refused("cron_secret_missing", 401)
    given = authorization.removeprefix("Bearer ").encode("utf-8", "surrogatepass")
    place = find_match(given, (secret.encode() for secret in cron_secrets))
    if place is None:
        raise Refused("cron_secret_wrong", 401)
    return place
