"""A model that gives its instructions away in every answer, in a writing that the question chooses. For tests."""

import base64
import codecs
import hashlib

from local.model.answers import question_of, text_of
from local.payloads import Json

LONGEST = 240
_WRITINGS = (
    lambda text: text,
    str.upper,
    " ".join,
    "-".join,
    lambda text: text[::-1],
    lambda text: " ".join(reversed(text.split())),
    lambda text: "\n".join(f"- {word}" for word in text.split()),
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: text.encode().hex(),
    lambda text: text.encode().hex(" "),
    lambda text: codecs.encode(text, "rot13"),
    lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
    lambda text: text.translate(str.maketrans("aeiostAEIOST", "431057431057")),
)


def leak(messages: list[Json]) -> str:
    """A piece of the system's text, from a place and in a writing that stay the same for one question."""
    system = "\n".join(text_of(message.get("content")) for message in messages if message.get("role") == "system")
    instructions = system.partition("Passages:")[0]
    digest = hashlib.sha256(question_of(messages).encode("utf-8", "replace")).digest()
    start = int.from_bytes(digest[:4]) % max(1, len(instructions) - LONGEST)
    return f"Claro: {_WRITINGS[digest[4] % len(_WRITINGS)](instructions[start : start + LONGEST])}"
