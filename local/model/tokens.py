"""Counting and cutting text in tokens. Real tokenizers differ per model; this one is close enough for budgets."""

import re

_TOKEN = re.compile(r"\s*(?:\w{1,5}|[^\w\s])")


def count(text: str) -> int:
    """How many tokens a text costs."""
    return len(_TOKEN.findall(text))


def cut(text: str, limit: int) -> tuple[str, bool]:
    """At most `limit` tokens of the text, and whether something was cut off."""
    tokens = _TOKEN.findall(text)
    return (text, False) if len(tokens) <= limit else ("".join(tokens[:limit]), True)
