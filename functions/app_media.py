"""The console calls with what is sent beside words.

What is kept, of a customer's or of a person's, gets an address that shows it for five minutes. What a person has put
into the bucket (app_send) a worker looks at from here on, and then its message leaves; the answer is its state.
"""

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.cloud import objects
from shared.data.user_store import UserStore
from shared.errors import Problem
from shared.guard import Request, Response, guard, jwt
from shared.messaging.wake import wake_media

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=4 * 1024,
    seconds=10.0,
    rate=120,
    secrets=("UPSTASH_REDIS_REST_TOKEN", "QUEUE_KEY"),
    writes=("media",),
    store_down="degrade",
)


class Wanted(BaseModel):
    """One of the media of a message: to be shown or, once `uploaded`, to be sent."""

    model_config = ConfigDict(extra="forbid")

    tenant: UUID
    media: UUID
    uploaded: bool = False


@GUARD
def handler(request: Request) -> Response:
    """Sign an address, or wake the worker."""
    wanted = request.body(Wanted)
    store = UserStore(request.caller.token, request.deadline)
    return _finish(request, store, wanted) if wanted.uploaded else _show(store, wanted)


def _show(store: UserStore, wanted: Wanted) -> Response:
    kept = store.media(str(wanted.tenant), str(wanted.media))
    if kept is None:
        raise Problem("media_not_kept", 404, "There is none, it is not fetched yet, or it was refused or forgotten.")
    url = objects.address("media", kept.object_key)
    return Response(body={"url": url, "seconds": objects.ADDRESS_SECONDS, "media_type": kept.media_type})


def _finish(request: Request, store: UserStore, wanted: Wanted) -> Response:
    tenant, media = str(wanted.tenant), str(wanted.media)
    state = store.finish_media(tenant, media)
    if state == "waiting":
        wake_media([(tenant, media)], "uploaded", request.deadline)
    return Response(status=202, body={"media": media, "state": state})
