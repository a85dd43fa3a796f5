"""Concepts: what words mean to the guard, whatever the language. `drop` is *ignore*, *olvida* and *esqueça*.

The lists are the files of `concepts/`, one for each language; a line is a concept and its words: `ignor*` is a
beginning, `you_are_now` a phrase. The weights say how much a concept, or two of them in this order and close
together, speak for an attack; scripts/train_guard.py learns them from the project's own lines.
"""

import json
from pathlib import Path

from shared.safety.canonical import canonical

FOLDER = Path(__file__).parent / "concepts"
LANGUAGES = ("es", "pt", "en")
# Beginnings are at least so long.
SHORTEST = 3
MISSPELLED = 5
CACHED = 20_000
LONGEST = 24


class Concepts:
    """The words of all languages together."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.names: list[str] = [""]
        self._words: dict[str, int] = {}
        self._beginnings: dict[str, int] = {}
        self._phrases: dict[str, list[tuple[list[str], int]]] = {}
        self._starts: set[str] = set()
        self._cache: dict[str, int] = {}
        for language in LANGUAGES:
            for line in (folder / f"{language}.txt").read_text(encoding="utf-8").splitlines():
                name, found, words = line.partition(": ")
                if found:
                    self._add(name, canonical(words).split())
        for phrases in self._phrases.values():
            phrases.sort(key=lambda phrase: -len(phrase[0]))

    def _add(self, name: str, words: list[str]) -> None:
        if name not in self.names:
            self.names.append(name)
        concept = self.names.index(name)
        for word in words:
            if word.endswith("*"):
                self._beginnings.setdefault(word[:-1], concept)
            elif "_" in word:
                first, second, *rest = word.split("_")
                self._starts.add(first)
                self._phrases.setdefault(f"{first} {second}", []).append((rest, concept))
            else:
                self._words.setdefault(word, concept)

    def of(self, words: list[str]) -> list[int]:
        """The concepts of a sentence, in order."""
        found, place, last = [], 0, len(words) - 1
        cache, starts = self._cache, self._starts
        while place <= last:
            word = words[place]
            if word in starts and place < last:
                matched = self._phrase(words, place)
                if matched:
                    found.append(matched[1])
                    place += matched[0]
                    continue
            place += 1
            concept = cache.get(word)
            if concept is None:
                concept = self._concept(word)
            if concept:
                found.append(concept)
        return found

    def _phrase(self, words: list[str], place: int) -> tuple[int, int] | None:
        for rest, concept in self._phrases.get(f"{words[place]} {words[place + 1]}", ()):
            if words[place + 2 : place + 2 + len(rest)] == rest:
                return 2 + len(rest), concept
        return None

    def _concept(self, word: str) -> int:
        concept = self.exact(word)
        if not concept and any(char.isdigit() for char in word) and not word.isdigit():
            concept = self.exact(word.translate(_LEET)) or self.exact(word.translate(_LEET_L))
        if len(self._cache) > CACHED:
            self._cache.clear()
        self._cache[word] = concept
        return concept

    def exact(self, word: str) -> int:
        """The concept of a word or of its longest beginning that is listed, 0 for none."""
        concept = self._words.get(word)
        if concept is not None:
            return concept
        beginnings = self._beginnings
        for length in range(min(len(word), 12), SHORTEST - 1, -1):
            if word[:length] in beginnings:
                return beginnings[word[:length]]
        return 0

    def known(self, words: list[str]) -> int:
        """How many of the words mean something here."""
        return sum([1 for word in words if self._cache.get(word)])

    def corrected(self, words: list[str]) -> list[str]:
        """The words, with two neighbouring letters changed back where that makes one of the lists."""
        return [self._correct(word) if len(word) >= MISSPELLED and not self._cache.get(word) else word for word in words]

    def _correct(self, word: str) -> str:
        if len(word) > LONGEST:
            return word
        for place in range(1, len(word) - 1):
            other = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
            if other in self._words or self._begins(other):
                return other
        return word

    def _begins(self, word: str) -> bool:
        return any(word[:length] in self._beginnings for length in range(min(len(word), 12), MISSPELLED - 1, -1))

    def cut(self, words: list[str]) -> list[str]:
        """Letters that stood apart, cut into words of the lists where they are not one already."""
        found: list[str] = []
        for word in words:
            found += [word] if len(word) <= LONGEST else self._cut(word)
        return found

    def _cut(self, letters: str) -> list[str]:
        found, place = [], 0
        while place < len(letters):
            for length in range(min(14, len(letters) - place), 1, -1):
                if letters[place : place + length] in self._words:
                    found.append(letters[place : place + length])
                    place += length
                    break
            else:
                place += 1
        return found


_LEET = str.maketrans("0134578", "oieastb")
_LEET_L = str.maketrans("0134578", "oleastb")


class Weights:
    """`bias`, one weight for each concept and one for each ordered pair of them."""

    def __init__(self, file: Path, concepts: Concepts) -> None:
        kept = json.loads(file.read_text())
        place = {name: number for number, name in enumerate(concepts.names)}
        self.bias: float = kept["bias"]
        self.of: dict[int, float] = {}
        for names, weight in kept["weights"].items():
            first, _, second = names.partition(" ")
            if first in place and (second in place or not second):
                self.of[place[first] << 8 | place.get(second, 0)] = weight
