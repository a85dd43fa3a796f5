"""Having a file of the knowledge bucket read by the function that has no secret (functions/internal_read_file.py)."""

from shared.cloud import functions, objects
from shared.errors import Unavailable
from shared.knowledge.refusal import REASONS, RefusedFileError
from shared.settings import Setting, read


def text_of(kind: str, object_key: str, seconds: float) -> str:
    """Return the text of an object, which is a file of one of kinds.KINDS.

    Raises RefusedFileError, and Unavailable (`reader_failed`, `lambda_refused`, `upstream_...`).
    """
    payload = {"kind": kind, "url": objects.reader_address("knowledge", object_key)}
    match functions.invoke(read(Setting.READ_FILE_FUNCTION), payload, seconds):
        case {"text": str(text), **rest} if not rest:
            return text
        case {"refused": str(reason), **rest} if not rest and reason in REASONS:
            raise RefusedFileError(reason)  # type: ignore[arg-type]
    raise Unavailable("reader_failed")
