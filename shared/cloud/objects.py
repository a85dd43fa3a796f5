"""Objects in S3: original knowledge files, named by tenant and content."""

from urllib.parse import quote

from shared.cloud import aws
from shared.errors import Unavailable
from shared.settings import Setting, read


def put(key: str, body: bytes, media_type: str, seconds: float) -> None:
    """Write one object into the knowledge bucket. Writing the same bytes again changes nothing.

    Raises Unavailable (`s3_refused`).
    """
    url = f"{aws.endpoint('s3')}/{read(Setting.KNOWLEDGE_BUCKET)}/{quote(key, safe='/-_.~')}"
    answer = aws.signed("PUT", url, {"content-type": media_type}, body, "s3", seconds)
    if answer.status != 200:
        raise Unavailable("s3_refused")
