"""The guard layer: every function imports this, declares its guard, and sees only requests that passed it."""

from shared.guard.declaration import Guard as guard  # noqa: N813 (a declaration reads like a call)
from shared.guard.kinds import cron, hmac, internal, jwt, public, queue
from shared.guard.request import Request
from shared.guard.response import Response

__all__ = ["Request", "Response", "cron", "guard", "hmac", "internal", "jwt", "public", "queue"]
