"""Concepts: what words mean to the input guard, whatever the language. `drop` is *ignore*, *olvida* and *esqueça*.

The lists are the files of `concepts/`, one for each language; scripts/train_guard.py puts them together with the
weights it learns into `concepts.json`, which is all that is read here.
"""

import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("concepts.json")
# A beginning (`ignor*`) is at least so long and at most; a longer word is none of ours.
SHORTEST, LONGEST = 3, 12
# Of so many letters on, their order is forgiven.
MISSPELLED = 5
# What ends a sentence, a word of its own, and its number; a sentence of fewer words goes with the next one.
FULL_STOP, END, SHORT = ".", -1, 4
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

# What follows the first two words of a phrase, and its concept, by the second word.
Phrases = dict[str, list[tuple[list[str], int]]]
Known = tuple[str, int, Phrases | None]
# Words that letters are cut into are so long; a letter that is left over costs as much as three words.
SHORTEST_CUT, LONGEST_CUT, LEFT_OVER = 2, 14, 3
# Digits written for letters.
LEET = str.maketrans("0134578", "oieastb")
_LEET_L = str.maketrans("0134578", "oleastb")


class _Memory(dict[str, Known]):
    """What is known of a word, learned when it is asked for."""

    def __init__(self, learn: Callable[[str], Known]) -> None:
        self._learn = learn

    def __missing__(self, word: str) -> Known:
        return self._learn(word)


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
        self._words: dict[str, int] = kept["words"] | {FULL_STOP: END}
        self._beginnings: dict[str, int] = kept["beginnings"]
        self._phrases: dict[str, Phrases] = {}
        for pair, phrases in kept["phrases"].items():
            first, _, second = pair.partition(" ")
            self._phrases.setdefault(first, {})[second] = phrases
        self._spellings: dict[str, str] = kept["spellings"]
        self._kept_vocabulary: str = kept["vocabulary"]
        self._remembered = _Memory(self._remember)
        self.accusing = frozenset(number for number, name in enumerate(self.names) if number and name not in _WEAK)
        self.around = frozenset(self.names.index(name) for name in ("shop", "ask", "life", "me"))

    def of(self, words: list[str]) -> list[list[int]]:
        """The concepts of each sentence, in order. A full stop is the end of one; short ones go with the next."""
        found: list[list[int]] = [[]]
        here, skip, begun = found[0], 0, 0
        known = list(map(self._remembered.__getitem__, words))
        last = len(known)
        for place, (_, concept, seconds) in enumerate(known, 1):
            if seconds and skip < place < last:
                second = known[place][0]
                phrase = self._phrase(seconds[second], words, place + 1) if second in seconds else None
                if phrase:
                    here.append(phrase[0])
                    skip = phrase[1]
                    continue
            if concept > 0:
                if skip < place:
                    here.append(concept)
            elif concept and place - begun <= SHORT:
                begun += 1
            elif concept:
                here, begun = [], place
                found.append(here)
        return found

    def _phrase(self, phrases: list[tuple[list[str], int]], words: list[str], place: int) -> tuple[int, int] | None:
        """The concept of the phrase whose third word stands at `place`, and where its words end."""
        for rest, concept in phrases:
            if not rest or list(map(self._meant, words[place : place + len(rest)])) == rest:
                return concept, place + len(rest)
        return None

    def _meant(self, word: str) -> str:
        return self._remembered[word][0]

    def _remember(self, word: str) -> Known:
        """The word as it was meant, its concept, and the phrases that begin with it."""
        meant = word
        if not word.isalpha() and not word.isdigit() and not self._look_up(word):
            meant = self._as_letters(word)
        elif REMEMBERED_LENGTH >= len(word) >= MISSPELLED and not self._look_up(word):
            meant = self._spellings.get(spelling(word), word)
        concept, phrases = self._look_up(meant), self._phrases.get(meant)
        known = (meant, concept, phrases)
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
        """The words in letters that stand together, so that the fewest letters are left over, by the fewest words.

        Letters that are less than half of words are a code; they stay as they are.
        """
        end = len(letters)
        # The costs of what follows each place, none behind the end; and how far the best word at each place goes.
        cost, step = [0] * (end + LONGEST_CUT), [1] * end
        for place in range(end - 1, -1, -1):
            least = cost[place + 1] + LEFT_OVER
            for length in self._lengths.get(letters[place : place + SHORTEST_CUT], ()):
                if cost[place + length] + 1 < least and letters[place : place + length] in self._vocabulary:
                    least, step[place] = cost[place + length] + 1, length
            cost[place] = least
        found, place = [], 0
        while place < end:
            if step[place] > 1:
                found.append(letters[place : place + step[place]])
            place += step[place]
        return found if 2 * sum(map(len, found)) >= end else [letters]

    @cached_property
    def _vocabulary(self) -> frozenset[str]:
        """The words of the lines that taught the weights, whatever they mean."""
        return frozenset(self._kept_vocabulary.split())

    @cached_property
    def _lengths(self) -> dict[str, tuple[int, ...]]:
        """How long words are by their first letters."""
        lengths: dict[str, set[int]] = {}
        for word in self._vocabulary:
            lengths.setdefault(word[:SHORTEST_CUT], set()).add(len(word))
        return {first: tuple(sorted(some)) for first, some in lengths.items()}
