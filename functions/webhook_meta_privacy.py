"""Meta calls when a person asks it to delete their data here (?kind=deletion), or takes the app away (deauthorize).

The request is kept once, before the answer. Meta gets the code and the page that tell the person how it stands.
"""

from shared.data import deletions
from shared.guard import Request, Response, guard, hmac
from shared.settings import Setting, read_url

GUARD = guard(
    hmac("meta_signed_request"),
    methods=("POST",),
    body_limit=16 * 1024,
    seconds=3.0,
    rate=600,
    secrets=("META_APP_SECRET", "SUPABASE_SECRET_KEY"),
    writes=("deletion_requests",),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Keep, answer. Without the database: 503, so that Meta comes again."""
    facts, page = request.caller.facts, f"{read_url(Setting.PUBLIC_URL)}/public/deletion"
    code = deletions.keep(facts["kind"], facts["user_id"], int(facts["issued_at"]), request.deadline)
    if facts["kind"] == "deauthorize":
        return Response(body={"kept": True})
    # Meta asks for exactly these two names.
    return Response(body={"url": f"{page}?code={code}", "confirmation_code": code})
