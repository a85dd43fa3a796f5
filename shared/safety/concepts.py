"""Concepts: what words mean to the input guard, whatever the language. `drop` is *ignore*, *olvida* and *esqueça*.

The lists are the files of `concepts/`, one for each language; scripts/train_guard.py puts them together with the
weights it learns into `concepts.json`, which is all that is read here.
"""

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("concepts.json")
# A beginning (`ignor*`) is at least so long and at most; a longer word is none of ours.
SHORTEST, LONGEST = 3, 12
# Of so many letters on, their order is forgiven.
MISSPELLED = 5
# So many words are remembered with their concept, none longer than this: a hostile text must not fill the memory.
REMEMBERED, REMEMBERED_LENGTH = 20_000, 24

# What is done, and what only stands beside it. A pair speaks for an attack when it holds something done or two things
# that it is done to; what only stands beside does not, and what shops are asked never does.
BESIDE = frozenset({"you", "all", "without", "prior", "exact", "i_am", "are"})
HARMLESS = frozenset({"shop", "ask", "life", "mine", "me", "dropped"})
# Too common in shops to accuse anybody with what stands beside.
BLUNT = frozenset(
    {
        "data",
        "price",
        "zero",
        "harm",
        "story",
        "mode",
        "access",
        "memory",
        "confirm",
        "url",
        "tool",
        "send",
        "tamper",
        "approved",
        "give",
        "alter",
        "renewed",
        "inside",
    }
)
# Of these a unit holds one or it is no attack.
_WEAK = BESIDE | HARMLESS | BLUNT - {"tool", "send", "tamper", "confirm"}

_NOTHING = ("", 0, False)
# Digits written for letters.
LEET = str.maketrans("0134578", "oieastb")
_LEET_L = str.maketrans("0134578", "oleastb")


def spelling(word: str) -> str:
    """The same for words whose letters, the first apart, stand in another order, as fingers in a hurry write them."""
    return word[0] + "".join(sorted(word[1:]))


def read() -> "Concepts":
    """Those of the file."""
    return Concepts(json.loads(FILE.read_text(encoding="utf-8")))


class Concepts:
    """All languages' words together, and the weights of concepts and of pairs of them.

    `bias` and `weights` are log-odds: of a concept under its number shifted by eight bits, of an ordered pair under
    both numbers. `names[0]` is no concept.
    """

    def __init__(self, kept: dict[str, Any]) -> None:
        self.names: list[str] = kept["names"]
        self.bias: float = kept["bias"]
        self.weights: dict[int, float] = {int(key): weight for key, weight in kept["weights"].items()}
        self._words: dict[str, int] = kept["words"]
        self._beginnings: dict[str, int] = kept["beginnings"]
        self._phrases: dict[str, list[tuple[list[str], int]]] = kept["phrases"]
        self._starts = frozenset(pair.partition(" ")[0] for pair in self._phrases)
        self._spellings: dict[str, str] = kept["spellings"]
        self._remembered: dict[str, tuple[str, int, bool]] = {}
        self.accusing = frozenset(number for number, name in enumerate(self.names) if number and name not in _WEAK)
        self.around = frozenset(self.names.index(name) for name in ("shop", "ask", "life", "me"))

    def of(self, words: list[str]) -> list[int]:
        """The concepts of a sentence, in order."""
        remembered, found, skip = self._remembered, [], 0
        for place, word in enumerate(words):
            known = remembered.get(word)
            if known is None:
                known = self._remember(word)
            if known is _NOTHING or place < skip:
                continue
            meant, concept, is_start = known
            if is_start and place + 1 < len(words):
                phrase = self._phrase(meant, words, place)
                if phrase:
                    found.append(phrase[1])
                    skip = place + phrase[0]
                    continue
            if concept:
                found.append(concept)
        return found

    def _phrase(self, meant: str, words: list[str], place: int) -> tuple[int, int] | None:
        """How many words the phrase that begins here has, and its concept."""
        for rest, concept in self._phrases.get(f"{meant} {self._meant(words[place + 1])}", ()):
            if list(map(self._meant, words[place + 2 : place + 2 + len(rest)])) == rest:
                return 2 + len(rest), concept
        return None

    def _meant(self, word: str) -> str:
        known = self._remembered.get(word) or self._remember(word)
        return known[0] or word

    def _remember(self, word: str) -> tuple[str, int, bool]:
        """The word as it was meant, its concept, and whether a phrase begins with it."""
        meant = word
        if not word.isalpha() and not word.isdigit() and not self._look_up(word):
            meant = self._as_letters(word)
        elif REMEMBERED_LENGTH >= len(word) >= MISSPELLED and not self._look_up(word):
            meant = self._spellings.get(spelling(word), word)
        concept, is_start = self._look_up(meant), meant in self._starts
        known = (meant, concept, is_start) if concept or is_start or meant != word else _NOTHING
        if len(word) <= REMEMBERED_LENGTH:
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            self._remembered[word] = known
        return known

    def _as_letters(self, word: str) -> str:
        """Digits for letters read as such, by the reading that is a word here, else by the usual one."""
        readings = [word.translate(LEET), word.translate(_LEET_L)]
        return next((reading for reading in readings if self._look_up(reading)), readings[0])

    def _look_up(self, word: str) -> int:
        concept = self._words.get(word)
        if concept is not None:
            return concept
        beginnings = self._beginnings
        for length in range(min(len(word), LONGEST), SHORTEST - 1, -1):
            concept = beginnings.get(word[:length])
            if concept is not None:
                return concept
        return 0

    def cut(self, letters: str) -> list[str]:
        """The words of the lists in letters that stand together, the longest first at each place."""
        found, place = [], 0
        while place < len(letters):
            for length in range(min(LONGEST + 2, len(letters) - place), 1, -1):
                if letters[place : place + length] in self._words:
                    found.append(letters[place : place + length])
                    place += length
                    break
            else:
                place += 1
        return found
