"""Our guard around nothing: a webhook whose body only parses what it was given, as webhook_meta does."""

from shared.guard import Request, Response, guard, hmac

GUARD = guard(
    hmac("meta"),
    methods=("POST",),
    body_limit=3 * 1024 * 1024,
    seconds=3.0,
    secrets=("META_APP_SECRET", "META_VERIFY_TOKEN", "SUPABASE_SECRET_KEY", "QUEUE_KEY"),
    writes=(),
    store_down="refuse",
)
on_entry = []


@GUARD
def handler(request: Request) -> Response:
    for tell in on_entry:
        tell()
    return Response(body={"entries": len(request.json_repaired())})
