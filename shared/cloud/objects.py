"""Objects in S3: original knowledge files, named by tenant and by file."""

from urllib.parse import quote

from shared import clock
from shared.cloud import aws
from shared.cloud.signature import presigned_form
from shared.cloud.transport import Answer
from shared.errors import Unavailable
from shared.settings import Setting, read

FORM_SECONDS = 300


def put(key: str, body: bytes, media_type: str, seconds: float) -> None:
    """Write one object into the knowledge bucket. Writing the same bytes again changes nothing.

    Raises Unavailable (`s3_refused`).
    """
    if _ask("PUT", key, seconds, {"content-type": media_type}, body).status != 200:
        raise Unavailable("s3_refused")


def form(key: str, media_type: str, size: int) -> tuple[str, dict[str, str]]:
    """Where and with which fields a browser may put one object of that key, type and size within five minutes."""
    bucket = read(Setting.KNOWLEDGE_BUCKET)
    fields = presigned_form(
        [{"bucket": bucket}, ["content-length-range", size, size]],
        fields={"key": key, "Content-Type": media_type},
        region=read(Setting.AWS_REGION),
        credentials=aws.credentials(),
        now=clock.now(),
        seconds=FORM_SECONDS,
    )
    return f"{aws.endpoint('s3')}/{bucket}", fields


def get(key: str, seconds: float) -> bytes | None:
    """The object, or None where there is none. Raises Unavailable (`s3_refused`, `upstream_answer_too_large`)."""
    answer = _ask("GET", key, seconds)
    if answer.status not in (200, 404):
        raise Unavailable("s3_refused")
    return answer.body if answer.status == 200 else None


def delete(key: str, seconds: float) -> None:
    """Remove the object; that there is none is as well. Raises Unavailable (`s3_refused`)."""
    if _ask("DELETE", key, seconds).status not in (200, 204, 404):
        raise Unavailable("s3_refused")


def _ask(method: str, key: str, seconds: float, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
    url = f"{aws.endpoint('s3')}/{read(Setting.KNOWLEDGE_BUCKET)}/{quote(key, safe='/-_.~')}"
    return aws.signed(method, url, headers or {}, body, "s3", seconds)
