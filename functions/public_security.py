"""Anybody may read how this service protects what it is given.

Nothing is read of anybody or written. The answer is a page made from the evidence of this very version.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, guard, public

GUARD = guard(
    public(reason="Whoever trusts us with data may read how it is protected.", rate=60),
    methods=("GET",),
    seconds=2.0,
    secrets=(),
    writes=(),
    store_down="degrade",
)


@GUARD
def handler(request: Request) -> Response:
    """Show the page."""
    raise NotBuilt()
