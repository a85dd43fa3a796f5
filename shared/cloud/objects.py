"""Objects in S3, named by tenant and by file: what businesses taught ("knowledge"), what customers sent ("media")."""

from typing import Literal
from urllib.parse import quote, urlsplit

from shared import clock
from shared.cloud import aws, transport
from shared.cloud.destinations import Aws
from shared.cloud.signature import presigned_form, presigned_url
from shared.cloud.transport import MAXIMUM_ANSWER, Answer
from shared.errors import Unavailable
from shared.settings import Setting, read

Bucket = Literal["knowledge", "media"]

FORM_SECONDS = ADDRESS_SECONDS = 300
# Seconds. The function that gets it is invoked at once.
READER_SECONDS = 60


def put(bucket: Bucket, key: str, body: bytes, media_type: str, seconds: float) -> None:
    """Write one object. Writing the same bytes again changes nothing.

    Raises Unavailable (`s3_refused`).
    """
    if _ask("PUT", bucket, key, seconds, {"content-type": media_type}, body).status != 200:
        raise Unavailable("s3_refused")


def form(bucket: Bucket, key: str, media_type: str, size: int) -> tuple[str, dict[str, str]]:
    """Where and with which fields a browser may put one object of that key, type and size within five minutes."""
    fields = presigned_form(
        [{"bucket": _named(bucket)}, ["content-length-range", size, size]],
        fields={"key": key, "Content-Type": media_type},
        region=read(Setting.AWS_REGION),
        credentials=aws.credentials(),
        now=clock.now(),
        seconds=FORM_SECONDS,
    )
    return f"{aws.endpoint('s3')}/{_named(bucket)}", fields


def get(bucket: Bucket, key: str, seconds: float, most: int = MAXIMUM_ANSWER) -> bytes | None:
    """The object, of at most so many bytes, or None where it is missing or the role may not read it.

    The roles have no s3:ListBucket, so S3 answers 403 AccessDenied for both and never says which. A caller that gives
    up on a missing object must not delete it.
    Raises Unavailable (`s3_refused`, `upstream_answer_too_large`).
    """
    answer = _ask("GET", bucket, key, seconds, most=most)
    if answer.status == 404 or (answer.status == 403 and b"<Code>AccessDenied</Code>" in answer.body):
        return None
    if answer.status != 200:
        raise Unavailable("s3_refused")
    return answer.body


def delete(bucket: Bucket, key: str, seconds: float) -> None:
    """Remove the object; that there is none is as well. Raises Unavailable (`s3_refused`)."""
    if _ask("DELETE", bucket, key, seconds).status not in (200, 204, 404):
        raise Unavailable("s3_refused")


def address(bucket: Bucket, key: str) -> str:
    """Where a browser gets the object within five minutes, to be saved and not run, whatever it is."""
    return presigned_url(
        _url(bucket, key),
        {"response-content-disposition": "attachment"},
        region=read(Setting.AWS_REGION),
        credentials=aws.credentials(),
        now=clock.now(),
        seconds=ADDRESS_SECONDS,
    )


def reader_address(bucket: Bucket, key: str) -> str:
    """Return the address by which one of our own functions may get the object within a minute."""
    return presigned_url(
        _url(bucket, key),
        {},
        region=read(Setting.AWS_REGION),
        credentials=aws.credentials(),
        now=clock.now(),
        seconds=READER_SECONDS,
    )


def is_own_address(bucket: Bucket, address: str) -> bool:
    """Return whether an address is that of an object of the bucket, at S3 itself."""
    if not (address.isascii() and address.isprintable()) or " " in address:
        return False
    try:
        given, own = urlsplit(address), urlsplit(_url(bucket, ""))
    except ValueError:
        return False
    is_same_origin = (given.scheme, given.netloc) == (own.scheme, own.netloc)
    return is_same_origin and given.path.startswith(own.path) and given.path != own.path and not given.fragment


def get_by_address(address: str, seconds: float, max_bytes: int) -> bytes:
    """Get an object by its reader's address, without a permission of our own. Redirects are not followed.

    Raises Unavailable (`s3_refused`, `upstream_...`).
    """
    answer = transport.send(Aws("s3"), "GET", address, {}, b"", seconds, max_bytes=max_bytes)
    if answer.status != 200:
        raise Unavailable("s3_refused")
    return answer.body


def _ask(
    method: str,
    bucket: Bucket,
    key: str,
    seconds: float,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    most: int = MAXIMUM_ANSWER,
) -> Answer:
    return aws.signed(method, _url(bucket, key), headers or {}, body, "s3", seconds, most)


def _url(bucket: Bucket, key: str) -> str:
    return f"{aws.endpoint('s3')}/{_named(bucket)}/{quote(key, safe='/-_.~')}"


def _named(bucket: Bucket) -> str:
    return read(Setting(f"{bucket.upper()}_BUCKET"))
