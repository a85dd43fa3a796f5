"""Text that a customer wrote: it cannot become a part of anything by accident.

It has a length and can be cut; whoever formats, joins, prints or logs it gets an error. What it says is opened by
name, each in the one place that tests/test_untrusted.py lists: for the prompt, for the search, for the guard.
"""

from collections.abc import Iterable
from typing import Any, NoReturn, Self

from pydantic_core import core_schema


class Untrusted:
    """A customer's words."""

    __slots__ = ("_inside",)

    def __init__(self, text: str) -> None:
        self._inside = text

    @classmethod
    def joined(cls, texts: Iterable[Self]) -> Self:
        """One text of several, a line each."""
        return cls("\n".join(text._inside for text in texts))

    def cut(self, length: int) -> "Untrusted":
        """At most so many characters of it."""
        return Untrusted(self._inside[:length])

    def is_blank(self) -> bool:
        """Whether it holds nothing but white space."""
        return not self._inside.strip()

    def __len__(self) -> int:
        return len(self._inside)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Untrusted) and self._inside == other._inside

    def __hash__(self) -> int:
        return hash(self._inside)

    def __repr__(self) -> str:
        return f"<{len(self._inside)} characters of a customer's>"

    def _refuse(self, *_: Any) -> NoReturn:
        raise TypeError("A customer's text is opened by name (shared/untrusted.py), never formatted or joined.")

    __str__ = __format__ = __add__ = __radd__ = __mod__ = __rmod__ = __mul__ = _refuse
    __iter__ = __getitem__ = __contains__ = __bytes__ = __reduce__ = _refuse

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """For models of what the database says: read from a string, and never written out again."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


def for_prompt(text: Untrusted) -> str:
    """To be put between the markers of a prompt (assistant/prompt.py)."""
    return text._inside


def for_search(text: Untrusted) -> str:
    """To be embedded, and counted (assistant/answer.py)."""
    return text._inside


def for_judging(text: Untrusted) -> str:
    """To be scored by the input guard, and to know what a customer said of themselves (assistant/gate.py)."""
    return text._inside
