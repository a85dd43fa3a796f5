"""Scheduled calls: a bearer secret, from EventBridge's event or from an HTTP header; never from a query."""

from collections.abc import Sequence

from shared.errors import Refused
from shared.guard.verify.constant_time import matches_any


def verify_bearer(authorization: object, cron_secrets: Sequence[str]) -> None:
    """Raise Refused (`cron_secret_missing`, `cron_secret_wrong`) unless it is `Bearer <a live secret>`."""
    if not isinstance(authorization, str) or not authorization.startswith("Bearer "):
        raise Refused("cron_secret_missing", 401)
    given = authorization.removeprefix("Bearer ").encode("utf-8", "surrogatepass")
    if not matches_any(given, (secret.encode() for secret in cron_secrets)):
        raise Refused("cron_secret_wrong", 401)
