import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.abuse.prices import PRICES, answer_tokens_for, cost, tokens_at_most
from shared.errors import Problem

AMOUNTS = st.integers(0, 200_000)


def test_cost_is_rounded_up_to_whole_micro_dollars() -> None:
    assert cost("gpt-4o-mini", 1_000_000, 1_000_000) == 750_000
    assert cost("gpt-4o-mini", 1) == 1
    assert cost("gpt-4o-mini", 0) == 0


def test_a_model_without_a_price_is_refused_and_one_with_a_price_is_not() -> None:
    assert cost("gpt-4o", 10, 10) > 0
    with pytest.raises(Problem, match="model_unpriced"):
        cost("gpt-5-unheard-of", 10, 10)


def test_negative_tokens_have_no_price() -> None:
    for prompt, said in ((-1, 0), (0, -1)):
        with pytest.raises(ValueError, match="from zero"):
            cost("gpt-4o-mini", prompt, said)


@given(st.sampled_from(sorted(PRICES)), AMOUNTS, st.integers(0, 10**9))
def test_an_answer_never_costs_more_than_what_pays_for_it(model: str, prompt: int, microdollars: int) -> None:
    tokens = answer_tokens_for(model, microdollars, prompt)
    assert tokens >= 0
    if tokens:
        assert cost(model, prompt, tokens) <= microdollars


@given(st.lists(st.text(), max_size=5))
def test_the_bound_of_tokens_is_at_least_the_bytes(texts: list[str]) -> None:
    assert tokens_at_most(texts) >= sum(len(text.encode("utf-8", "replace")) for text in texts)
