"""From the bytes of a file to its text, in a process of its own: without secrets, network, files, memory or time.

Parsers of formats that strangers make have holes, and what they unpack may be endless. So they run as
`python -m shared.knowledge.reading <kind> <seconds>`, which gets the file on its standard input and answers JSON. What
that process gives up first is in sandbox.py.
"""

import codecs
import encodings.aliases
import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from tempfile import TemporaryFile

from shared import metrics
from shared.errors import Unavailable
from shared.knowledge import plain, sandbox
from shared.knowledge.refusal import REASONS, RefusedFileError
from shared.safety.canonical import hidden_text, visible
from shared.settings import Setting, read_optional

log = logging.getLogger("portero")

MAXIMUM_CHARACTERS = 400_000
# Bytes of JSON that so many characters can be.
MAX_OUTPUT = 12 * MAXIMUM_CHARACTERS + 100
_ROOT = Path(__file__).resolve().parent.parent.parent


def words_of(kind: str, data: bytes, seconds: float, *, needs_filter: bool = True) -> str:
    """The text of a file of one of kinds.KINDS, within so many seconds.

    `needs_filter`: do not parse where the platform forbids the filter of system calls. A caller whose process holds no
    secret and has no permission may do without; each such call is logged and counted.
    Raises RefusedFileError, and Unavailable (`sandbox_incomplete`).
    """
    # The child has the same user: without this it could read our environment and memory.
    sandbox.hide_memory()
    command = [sys.executable, "-m", __name__, kind, str(max(1, int(seconds))), *(["filtered"] if needs_filter else [])]
    variables = {
        "PYTHONPATH": str(_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LD_LIBRARY_PATH": read_optional(Setting.LD_LIBRARY_PATH),
    }
    with TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        child = subprocess.Popen(
            command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=_ROOT, env=variables
        )
        try:
            output = _output_of(child, seconds)
        finally:
            child.kill()
            child.wait()
    return _answered(output, child.returncode)


def _output_of(child: subprocess.Popen[bytes], seconds: float) -> bytes:
    """What the child writes until it ends. Raises RefusedFileError."""
    assert child.stdout is not None
    ends, output = time.monotonic() + seconds, bytearray()
    with child.stdout as pipe:
        while select.select([pipe], [], [], max(0.0, ends - time.monotonic()))[0]:
            part = os.read(pipe.fileno(), 65_536)
            if not part:
                child.wait(max(0.1, ends - time.monotonic()))
                return bytes(output)
            output += part
            if len(output) > MAX_OUTPUT:
                raise RefusedFileError("unreadable")
    raise RefusedFileError("too_slow")


def _answered(output: bytes, returncode: int) -> str:
    """The text in what the child wrote, which may be anything."""
    try:
        answer = json.loads(output)
    except (ValueError, RecursionError):
        # It died on the way: out of memory or of time, or by a bug of a parser.
        raise RefusedFileError("too_slow" if returncode == -signal.SIGXCPU else "unreadable") from None
    match answer:
        case {"failed": "sandbox"}:
            raise Unavailable("sandbox_incomplete")
        case {"refused": str(reason)} if reason in REASONS:
            raise RefusedFileError(reason)  # type: ignore[arg-type]
        case {"text": str(text), "filtered": bool(filtered)}:
            if not filtered:
                metrics.note_unfiltered()
                log.warning("file read without a filter of system calls")
            return text[:MAXIMUM_CHARACTERS]
    raise RefusedFileError("unreadable")


def text_of(kind: str, data: bytes) -> str:
    """The words, in this process. Raises RefusedFileError."""
    text = _parsed(kind, data)
    if len(text) > MAXIMUM_CHARACTERS:
        raise RefusedFileError("too_long")
    if hidden_text(text):
        raise RefusedFileError("hidden_text")
    text = visible(text.replace("\r\n", "\n").replace("\r", "\n"))
    if not any(map(str.isalnum, text)):
        raise RefusedFileError("no_text")
    return text


def _parsed(kind: str, data: bytes) -> str:
    if kind == "pdf":
        from shared.knowledge.pdf import read_pdf

        return read_pdf(data)
    if kind == "docx":
        from shared.knowledge.word import read_docx

        return read_docx(data)
    return {"html": plain.page, "csv": plain.table}.get(kind, plain.decoded)(data)


def preload(kind: str) -> None:
    """Import what the parser of this kind would import while it reads: afterwards no file can be opened."""
    for name in {*encodings.aliases.aliases.values(), "utf_8_sig", "idna", "punycode"}:
        try:
            codecs.lookup(name)
        except LookupError:
            continue  # of another system
    if kind == "pdf":
        import pypdf._codecs._codecs
        import pypdf.filters
        import pypdf.generic._image_inline
        import pypdf.xmp  # noqa: F401

        import shared.knowledge.pdf
    if kind == "docx":
        import shared.knowledge.word  # noqa: F401


def main() -> None:
    """The child: privileges away, one file in, the sandbox, one line of JSON out."""
    kind, seconds, needs_filter = sys.argv[1], int(sys.argv[2]), "filtered" in sys.argv[3:]
    answer: dict[str, object] = {"failed": "sandbox"}
    data, filtered = _prepare(kind, seconds)
    try:
        if filtered or not needs_filter:
            answer = {"text": text_of(kind, data), "filtered": filtered}
    except RefusedFileError as refused:
        answer = {"refused": refused.reason}
    except Exception:  # a parser met what it does not know, in a way of its own
        answer = {"refused": "unreadable"}
    _write(json.dumps(answer).encode())
    # Without the end of the interpreter, which would look for files.
    os._exit(0)


def _prepare(kind: str, seconds: int) -> tuple[bytes, bool]:
    """The file, once everything is given up, and whether the filter of system calls holds."""
    try:
        sandbox.give_up_privileges(seconds)
        logging.disable()
        warnings.simplefilter("ignore")
        preload(kind)
        data = sys.stdin.buffer.read()
        return data, sandbox.enter_sandbox()
    except Exception:  # a fault of ours or of the platform: not the file's, which must not be refused for it
        _write(b'{"failed": "sandbox"}')
        os._exit(1)


def _write(answer: bytes) -> None:
    left = memoryview(answer)
    while left:
        left = left[os.write(sandbox.ANSWER, left) :]


if __name__ == "__main__":
    main()
