"""Regular expressions, compiled when a text first needs them: a cold start pays for no rule that it never meets."""

import re
from typing import ClassVar


class Pattern:
    """`Pattern(source)()` is the compiled expression."""

    __slots__ = ("_compiled", "source")
    every: ClassVar[list["Pattern"]] = []

    def __init__(self, source: str) -> None:
        self.source = source
        self._compiled: re.Pattern[str] | None = None
        self.every.append(self)

    def __call__(self) -> re.Pattern[str]:
        if self._compiled is None:
            self._compiled = re.compile(self.source)
        return self._compiled


def compile_all() -> None:
    """Compile every expression now, for whoever wants to know what that costs."""
    for pattern in Pattern.every:
        pattern()
