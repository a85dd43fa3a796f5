"""queue_ingest invokes this with the address of one uploaded file.

The file is fetched and parsed in a process of its own. It has no secret, no database and a role without permissions, so
that hostile code in a parser finds nothing. The answer is the text of the file, or the reason why it is refused.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.cloud import objects
from shared.errors import Problem
from shared.guard import Request, Response, guard, internal
from shared.knowledge.kinds import MAXIMUM_BYTES
from shared.knowledge.reading import words_of
from shared.knowledge.refusal import RefusedFileError

GUARD = guard(
    internal("queue_ingest"),
    seconds=40.0,
    secrets=(),
    writes=(),
    store_down="refuse",
)

FETCH_SECONDS, READING_SECONDS = 10.0, 20.0


class ReadFile(BaseModel):
    """A `kind` of shared/knowledge/kinds.py, and the presigned `url` of an object in the knowledge bucket."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Literal["txt", "md", "html", "csv", "pdf", "docx"]
    url: str = Field(min_length=1, max_length=8192)


@GUARD
def handler(request: Request) -> Response:
    """Check the address, fetch, parse."""
    file = request.body(ReadFile)
    if not objects.is_own_address("knowledge", file.url):
        raise Problem("foreign_address", 422)
    data = objects.get_by_address(file.url, min(FETCH_SECONDS, request.deadline.remaining()), MAXIMUM_BYTES)
    seconds = min(READING_SECONDS, request.deadline.remaining())
    try:
        # This function holds nothing, so a platform without a filter of system calls is logged and not refused.
        return Response(body={"text": words_of(file.kind, data, seconds, needs_filter=False)})
    except RefusedFileError as refused:
        return Response(body={"refused": refused.reason})
