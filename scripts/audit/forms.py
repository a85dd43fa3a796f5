"""A small language for closed forms: what a value of serverless.yml may look like, written as data of the same shape.

A dict names every key (those that may be absent end with "?"), a list gives the form of each of its items, a tuple
gives alternatives, a Text an expression for the whole text, a Number its bounds; anything else is the value itself.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from scripts.audit.template import Section, Tag


class Text(NamedTuple):
    """A text that the expression fits as a whole; of a Tag of that name, if one is given."""

    expression: str
    tag: str = ""


class Number(NamedTuple):
    """A number within bounds."""

    least: float
    most: float


class Anything(NamedTuple):
    """Any value: it is checked elsewhere, or it decides nothing. The reason says which."""

    reason: str


class Exactly(NamedTuple):
    """A list of these forms, in this order."""

    items: tuple[Any, ...]


class Mismatch(NamedTuple):
    """Where a value has another form: its path from the outermost, the line, and what was expected."""

    path: str
    line: int
    expected: str


def mismatches(value: Any, form: Any, path: str, line: int) -> Iterator[Mismatch]:
    """Compare a value with a form. `line` is that of the value."""
    match form:
        case Anything():
            return
        case dict():
            yield from _mapping(value, form, path, line)
        case Exactly(items=items):
            if not isinstance(value, list) or len(value) != len(items):
                yield Mismatch(path, line, f"{len(items)} items")
                return
            for index, (part, item) in enumerate(zip(value, items, strict=True)):
                yield from mismatches(part, item, f"{path}[{index}]", getattr(part, "line", line))
        case list() if len(form) != 1:
            yield from mismatches(value, Exactly(tuple(form)), path, line)
        case list():
            [item] = form
            if not isinstance(value, list):
                yield Mismatch(path, line, "a list")
                return
            for index, part in enumerate(value):
                yield from mismatches(part, item, f"{path}[{index}]", getattr(part, "line", line))
        case Text(expression=expression, tag=tag):
            text = value.text if isinstance(value, Tag) and value.name == tag else value
            is_tagged = isinstance(value, Tag) == bool(tag)
            if not (is_tagged and isinstance(text, str) and re.fullmatch(expression, text)):
                yield Mismatch(path, line, f"{'!' + tag + ' ' if tag else ''}{expression}")
        case Number(least=least, most=most):
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
                yield Mismatch(path, line, f"a number from {least:g} to {most:g}")
        case tuple() if not isinstance(form, Tag):
            if not any(next(mismatches(value, one, path, line), None) is None for one in form):
                yield Mismatch(path, line, " or ".join(str(one)[:60] for one in form))
        case _:
            if type(value) is not type(form) or value != form:
                yield Mismatch(path, line, str(form)[:80])


def _mapping(value: Any, form: dict[str, Any], path: str, line: int) -> Iterator[Mismatch]:
    if not isinstance(value, Section):
        yield Mismatch(path, line, f"a mapping of {', '.join(form)}"[:100])
        return
    for key, part in value.items():
        inner = form.get(key, form.get(f"{key}?"))
        if inner is None:
            known = ", ".join(name.rstrip("?") for name in form)
            yield Mismatch(f"{path}.{key}", value.line_of(key), f"no such key; known are {known}"[:120])
        else:
            yield from mismatches(part, inner, f"{path}.{key}", value.line_of(key))
    for key in form:
        if not key.endswith("?") and key not in value:
            yield Mismatch(f"{path}.{key}", value.line, "a value: it is missing")


def form_message(path: str, expected: str) -> str:
    """Say what to write where, in one line."""
    return f"write {path} as the grammar has it: {expected}"[:200].rstrip()
