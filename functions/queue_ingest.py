"""The ingest queue calls with a file that the assistant is to know.

One worker claims it, reads and cuts it, and puts its passages in place of earlier ones. Its outcome is written down.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, guard, queue

GUARD = guard(
    queue("ingest"),
    seconds=55.0,
    secrets=("QUEUE_KEY",),
    writes=("knowledge_files", "knowledge_chunks"),
    store_down="queue",
)


@GUARD
def handler(request: Request) -> Response:
    """Claim, read, cut, embed, settle."""
    raise NotBuilt()
