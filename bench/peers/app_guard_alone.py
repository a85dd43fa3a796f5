"""Our guard around nothing: a function for signed-in people whose body does nothing."""

from shared.guard import Request, Response, guard, jwt

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=64 * 1024,
    seconds=3.0,
    secrets=(),
    writes=(),
    store_down="refuse",
)
on_entry = []


@GUARD
def handler(request: Request) -> Response:
    for tell in on_entry:
        tell()
    return Response()
