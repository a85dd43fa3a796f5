"""The console calls when a member wants to see what a customer sent beside words.

Nothing is changed. The answer is an address that shows it for five minutes, and its media type.
"""

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.cloud import objects
from shared.data.user_store import UserStore
from shared.errors import Problem
from shared.guard import Request, Response, guard, jwt

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=4 * 1024,
    seconds=10.0,
    rate=120,
    secrets=("UPSTASH_REDIS_REST_TOKEN",),
    writes=(),
    store_down="degrade",
)


class Wanted(BaseModel):
    """One of the media of a message."""

    model_config = ConfigDict(extra="forbid")

    tenant: UUID
    media: UUID


@GUARD
def handler(request: Request) -> Response:
    """Ask for it with the member's own rights, sign its address."""
    wanted = request.body(Wanted)
    kept = UserStore(request.caller.token, request.deadline).media(str(wanted.tenant), str(wanted.media))
    if kept is None:
        raise Problem("media_not_kept", 404, "There is none, it is not fetched yet, or it was refused or forgotten.")
    url = objects.address("media", kept.object_key)
    return Response(body={"url": url, "seconds": objects.ADDRESS_SECONDS, "media_type": kept.media_type})
