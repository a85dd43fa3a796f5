"""Anybody may ask whether the service answers.

Nothing is read or written. The answer says that this function ran, and in which stage.
"""

from shared.guard import Request, Response, guard, public
from shared.settings import Setting, read

GUARD = guard(
    public(reason="Uptime monitors ask without credentials; the answer holds nothing of anybody.", rate=60),
    methods=("GET",),
    seconds=2.0,
    secrets=(),
    writes=(),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Answer."""
    return Response(body={"status": "ok", "stage": read(Setting.STAGE)})
