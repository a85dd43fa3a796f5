"""The console calls when a person deletes the account, within five minutes of showing the second factor.

The erasure is written down before anything is erased, so that it can be finished whatever stops it. The answer is the
code by which its state can be asked for.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, guard, jwt

GUARD = guard(
    jwt(aal2=True, fresh_totp=300, live_session=True),
    methods=("POST",),
    body_limit=4 * 1024,
    seconds=25.0,
    rate=3,
    secrets=("UPSTASH_REDIS_REST_TOKEN",),
    writes=("erasures", "tenants", "members", "bucket"),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Write down, erase, confirm."""
    raise NotBuilt()
