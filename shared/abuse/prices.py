"""What a call of a model costs at most, and what it did cost: whole micro-dollars, rounded up.

The table holds list prices in micro-dollars per million tokens, from the providers' pages as of 2026-11; a change of
price is a change here. Where a price depends on the length of the prompt, on caching or on the region, the dearest one
stands: a hold must pay for the worst case. A model that is not in the table has no price and is refused.
"""

from typing import NamedTuple

from shared.errors import Problem

MILLION = 1_000_000
# A provider adds a few tokens for roles and tools; a token is never shorter than a byte of UTF-8.
TOKENS_PER_MESSAGE = 16
TOKENS_OF_TOOLS = 256


class Price(NamedTuple):
    """Micro-dollars per million tokens, in and out. A model for embeddings has no output."""

    prompt: int
    answer: int


PRICES = {
    "gpt-4o-mini": Price(150_000, 600_000),
    "gpt-4o": Price(2_500_000, 10_000_000),
    "gpt-4.1-mini": Price(400_000, 1_600_000),
    "gpt-4.1": Price(2_000_000, 8_000_000),
    "text-embedding-3-small": Price(20_000, 0),
    "text-embedding-3-large": Price(130_000, 0),
}


def price_of(model: str) -> Price:
    """Raises Problem (503 `model_unpriced`) for a model without a price: the deployment names one that nobody knows."""
    try:
        return PRICES[model]
    except KeyError:
        raise Problem("model_unpriced", 503) from None


def cost(model: str, prompt_tokens: int, answer_tokens: int = 0) -> int:
    """Micro-dollars for so many tokens, rounded up. Raises Problem for an unknown model, ValueError below zero."""
    if prompt_tokens < 0 or answer_tokens < 0:
        raise ValueError("tokens are counted from zero")
    price = price_of(model)
    return -(-(prompt_tokens * price.prompt + answer_tokens * price.answer) // MILLION)


def tokens_at_most(texts: list[str]) -> int:
    """An upper bound of the tokens of these messages, without a tokenizer: a token is at least a byte of UTF-8."""
    return sum(len(text.encode("utf-8", "replace")) + TOKENS_PER_MESSAGE for text in texts)


def answer_tokens_for(model: str, microdollars: int, prompt_tokens: int) -> int:
    """How long an answer `microdollars` pay for, after the prompt: tokens, never below zero."""
    price = price_of(model)
    left = microdollars * MILLION - prompt_tokens * price.prompt
    return max(0, left // price.answer) if price.answer else 0
