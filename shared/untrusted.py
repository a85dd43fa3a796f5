"""Text that a customer, a file or a model wrote: it cannot become a part of anything by accident.

It has a length and can be cut; formatting, joining, printing or logging it raises. Its words are opened by name, in the
places that tests/test_untrusted.py lists: here for the input filter, and for a prompt only with the filter's verdict
(safety/judged.py).
"""

from typing import Any, NoReturn

from pydantic_core import core_schema


class Untrusted:
    """A customer's words."""

    __slots__ = ("_inside",)

    def __init__(self, text: str) -> None:
        self._inside = text

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


def for_judging(text: Untrusted) -> str:
    """Open a text for the input filter (safety/judged.py), and to see a request for a person (assistant/gate.py)."""
    return text._inside
