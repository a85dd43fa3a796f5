"""What the three channels take: how long a text may be, and how a longer one is cut."""

import re
from typing import Literal

Channel = Literal["whatsapp", "instagram", "messenger"]

_WHATSAPP, _MESSENGER = 4096, 2000  # characters
_INSTAGRAM = 1000  # bytes of UTF-8
_SENTENCE_END = re.compile(r"[.!?…](?=\s)|\n")
_CUT = "…"


def fitted(text: str, channel: Channel) -> str:
    """The text as long as the channel takes it: cut after its last whole sentence, else after a word."""
    cut = _shortened(text, channel)
    if cut == text:
        return text
    ends = [found.end() for found in _SENTENCE_END.finditer(cut)]
    if ends and ends[-1] > len(cut) // 2:
        return cut[: ends[-1]].rstrip()
    cut = _shortened(text, channel, len(_CUT.encode()))
    return (cut.rpartition(" ")[0] or cut).rstrip() + _CUT


def _shortened(text: str, channel: Channel, less: int = 0) -> str:
    if channel == "instagram":
        return text.encode()[: _INSTAGRAM - less].decode(errors="ignore")
    return text[: (_MESSENGER if channel == "messenger" else _WHATSAPP) - less]
