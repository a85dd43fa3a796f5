"""A person opens the link that Meta gave them when they asked to have their data deleted.

Nothing is written. The page says what was asked, when, and how it stands, in Spanish, Portuguese or English.
"""

from shared.data import deletions
from shared.guard import Request, Response, guard, public
from shared.privacy.deletion_page import page

GUARD = guard(
    public(reason="The person has no account here; the code in the link is all that they hold.", rate=30),
    methods=("GET",),
    seconds=3.0,
    secrets=("SUPABASE_SECRET_KEY",),
    writes=(),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Look up, show. An unknown code is a 404 that looks the same."""
    status = deletions.status(request.query.get("code", ""), request.deadline)
    return Response(status=200 if status else 404, html=page(request.language, status))
