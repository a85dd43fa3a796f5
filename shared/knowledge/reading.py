"""From the bytes of a file to its words, in a process of its own: without secrets, with little memory and little time.

Parsers of formats that strangers make have holes, and what they unpack may be endless. So they run as
`python -m shared.knowledge.reading <kind>`, which gets the file on its standard input and answers JSON.
"""

import json
import resource
import subprocess
import sys
from pathlib import Path

from shared.knowledge import plain
from shared.knowledge.refusal import REASONS, RefusedFileError
from shared.safety.canonical import hidden_text, visible
from shared.settings import Setting, read_optional

MAXIMUM_CHARACTERS = 400_000
MAXIMUM_MEMORY = 1024 * 1024 * 1024
# Where the child answers: its standard output.
ANSWER = 1
_ROOT = Path(__file__).resolve().parent.parent.parent


def words_of(kind: str, data: bytes, seconds: float) -> str:
    """The words of a file of one of kinds.KINDS, within so many seconds. Raises RefusedFileError."""
    try:
        ran = subprocess.run(
            [sys.executable, "-m", __name__, kind, str(max(1, int(seconds)))],
            input=data,
            capture_output=True,
            timeout=seconds,
            cwd=_ROOT,
            env={
                "PYTHONPATH": str(_ROOT),
                "PYTHONDONTWRITEBYTECODE": "1",
                "LD_LIBRARY_PATH": read_optional(Setting.LD_LIBRARY_PATH),
            },
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RefusedFileError("too_slow") from None
    try:
        answer = json.loads(ran.stdout)
    except ValueError:
        # It died on the way: out of memory or of time, or by a bug of a parser.
        raise RefusedFileError("too_slow" if ran.returncode == -24 else "unreadable") from None
    if answer.get("refused") in REASONS:
        raise RefusedFileError(answer["refused"])
    return str(answer["text"])


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


def main() -> None:
    """The child: limits first, then one file, then one line of JSON."""
    kind, seconds = sys.argv[1], int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (MAXIMUM_MEMORY, MAXIMUM_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        answer = {"text": text_of(kind, sys.stdin.buffer.read())}
    except RefusedFileError as refused:
        answer = {"refused": refused.reason}
    except Exception:  # a parser met what it does not know, in a way of its own
        answer = {"refused": "unreadable"}
    with open(ANSWER, "wb") as written:
        written.write(json.dumps(answer).encode())


if __name__ == "__main__":
    main()
