"""The output guard: whether an answer that a model wrote may go to a customer. It asks no model and knows no mercy.

The instructions and their canary may not come back, in no writing that a person or a program turns into them again;
nor other people's data, links to elsewhere, prices and promises that the business never made, or what is shaped like a
secret.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.privacy.addresses import find_addresses, find_lettered
from shared.privacy.numbers import find_numbers
from shared.privacy.shapes import find_shapes
from shared.safety.amounts import Prices, prices_in, promises_in, shares_in
from shared.safety.canonical import MAXIMUM_CHARACTERS, canonical
from shared.safety.decoding import decoded
from shared.safety.hosts import DANGEROUS, hosts_in

RULES = (
    "too_long",
    "canary",
    "prompt",
    "personal_data",
    "foreign_link",
    "invented_price",
    "invented_promise",
    "secret",
)

# A run of so many letters of the instructions is found at every offset: pieces of one length at every offset of the
# instructions against pieces of the answer so far apart that one of them lies within the run.
RUN, PIECE = 40, 24
STRIDE = RUN - PIECE + 1
# What a canary is made of: no text has many of these letters in a row, rot13 turns each into another of them, and no
# digit is read as one. So many of a canary in a row are no chance.
CANARY_LETTERS, CANARY_PIECE = "jwkxqdzm", 12
_CANARY_OR_NOT = bytes(ord("x") if chr(code) in CANARY_LETTERS else ord(" ") for code in range(256))
_LIKELY = b"x" * CANARY_PIECE
# So many answers before this one may hold the beginning of what is told in parts.
EARLIER = 5
# No telephone and no document has fewer digits.
FEWEST_DIGITS = 6
# Digits for letters are read as letters on both sides.
_ROT13 = bytes.maketrans(b"abcdefghijklmnopqrstuvwxyz", b"nopqrstuvwxyzabcdefghijklm")
_TO_LETTERS = bytes.maketrans(b"0134578l", b"oieastbi")
_SPACED = bytes(code if chr(code).islower() or chr(code).isdigit() else ord(" ") for code in range(256))
_ALONE = re.compile(rb" [a-z0-9](?= )")
_NEITHER = bytes(code for code in range(128) if not (chr(code).islower() or chr(code).isdigit()))
_DIGITS = b"0123456789"


@dataclass(frozen=True)
class Facts:
    """What the answer is measured by.

    `canary`: at least 64 random bits in `CANARY_LETTERS`, which stand in the system prompt; `instructions`: what of the
    prompt must not come back; `known`: what the business says of itself (name, passages), word for word if need be;
    `own`: what else of prices, links and people is the business's (the owner's instructions, earlier answers), though
    not its wording; `said`: what this customer wrote.
    """

    canary: str
    instructions: str
    known: str
    own: str
    said: str


class AnswerGuard:
    """Made once for a turn. Raises ValueError for a canary of other letters than CANARY_LETTERS."""

    def __init__(self, facts: Facts) -> None:
        if not set(facts.canary) <= set(CANARY_LETTERS):
            raise ValueError("a canary of other letters would not be looked for")
        self._pieces: set[bytes] = set()
        for secret, known in zip(_writings(facts.instructions), _writings(facts.known), strict=True):
            self._pieces.update(piece for piece in _slices(secret, PIECE, 1) if piece not in known)
        theirs = f"{facts.known}\n{facts.own}"
        low = canonical(theirs)
        self._people = _bare(f"{low}\n{canonical(facts.said)}")
        self._hosts, self._promises = hosts_in(theirs) - {DANGEROUS}, promises_in(low)
        self._prices, self._shares = Prices(prices_in(low, unsigned=True)), shares_in(low)
        self._canary = [piece for canary in _writings(facts.canary) for piece in _slices(canary, CANARY_PIECE, 1)]

    def broken_rules(self, answer: str, earlier: Sequence[str] = ()) -> tuple[str, ...]:
        """The rules that an answer breaks, in the order of RULES; none when it may be sent.

        `earlier`: the last answers of this conversation, oldest first, for what is told in parts.
        """
        if len(answer) > MAXIMUM_CHARACTERS:
            # What would not be read must not be sent.
            return ("too_long",)
        low = canonical(answer)
        broken = {*self._leaks(answer, low, earlier), *self._foreign(answer, low)}
        return tuple(rule for rule in RULES if rule in broken)

    def _leaks(self, answer: str, low: str, earlier: Sequence[str]) -> Iterator[str]:
        before = b"".join(map(squeezed, earlier[-EARLIER:]))[-RUN * EARLIER :]
        for reading in _readings(answer, low, before):
            is_likely = _LIKELY in reading.translate(_CANARY_OR_NOT)
            if is_likely and any(piece in reading for piece in self._canary):
                yield "canary"
            if not self._pieces.isdisjoint(_slices(reading, PIECE, STRIDE)):
                yield "prompt"

    def _foreign(self, answer: str, low: str) -> Iterator[str]:
        if _others(answer, low, self._people):
            yield "personal_data"
        if any(not _is_within(host, self._hosts) for host in hosts_in(answer)):
            yield "foreign_link"
        if shares_in(low) - self._shares or not all(map(self._prices.come_to, prices_in(low))):
            yield "invented_price"
        if promises_in(low) - self._promises:
            yield "invented_promise"
        if find_shapes(answer):
            yield "secret"


def _slices(letters: bytes, length: int, stride: int) -> list[bytes]:
    return [letters[at : at + length] for at in range(0, len(letters) - length + 1, stride)]


def squeezed(text: str) -> bytes:
    """Only letters, in ASCII, as they are read: without case, accents, spaces, signs and digits for letters."""
    return _letters(_bare(canonical(text)))


def _writings(text: str) -> Iterator[bytes]:
    """The letters of a text, then as they are when it is written backwards, in rot13, or word by word from its end.

    Made of what must not be said, once, so that every answer need not be read in all these ways.
    """
    low = canonical(text)
    letters = squeezed(text)
    turned = _letters(_bare(low).translate(_ROT13))
    yield from (letters, letters[::-1], turned, turned[::-1], squeezed(" ".join(reversed(low.split()))))


def _bare(low: str) -> bytes:
    return low.encode("ascii", "ignore").translate(None, _NEITHER)


def _letters(bare: bytes) -> bytes:
    return bare.translate(_TO_LETTERS, b" ")


def _readings(answer: str, low: str, before: bytes) -> Iterator[bytes]:
    """The answer, after what was said before, in the ways in which it may hold something else; each squeezed."""
    yield before + _letters(_bare(low))
    # Without letters that stand alone, which may have been put between the words.
    apart = b" " + low.encode("ascii", "ignore").translate(_SPACED) + b" "
    yield _letters(_ALONE.sub(b"", apart))
    for text in decoded(answer):
        yield squeezed(text)


def _others(answer: str, low: str, ours: bytes) -> bool:
    """Whether the answer holds a telephone, an address or a document that is not in `ours`."""
    letters = low.encode("ascii", "ignore")
    if "@" not in answer and len(letters) - len(letters.translate(None, _DIGITS)) < FEWEST_DIGITS:
        return False
    spans = [*find_addresses(answer), *find_lettered(answer), *find_numbers(answer)]
    return any(_bare(canonical(answer[start:end])) not in ours for start, end, _ in spans)


def _is_within(host: str, hosts: Iterable[str]) -> bool:
    return any(host == allowed or host.endswith(f".{allowed}") for allowed in hosts)
