"""RateLimit fields: whatever goes in, what comes out is a List of Strings with parameters (RFC 9651)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.abuse.rate_limit import Policy, fields

# RFC 9651, 3.1 and 3.3: a list of strings, each with parameters that are integers of at most 15 digits, or strings.
STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
ITEM = rf"{STRING}(?:;[a-z*][a-z0-9_.*-]*=(?:-?[0-9]{{1,15}}|{STRING}))*"
LIST = re.compile(rf"{ITEM}(?:, {ITEM})*")
NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
NUMBERS = st.integers(-(10**20), 10**20)


def test_a_rate_and_a_budget_as_the_draft_writes_them() -> None:
    policies = [
        Policy("member.calls", 20, 60, 19),
        Policy("tenant.day.sends", 1000, 86_400, 12, 3600, "sends"),
    ]
    assert fields(policies, lambda below: 0) == {
        "ratelimit-policy": '"member.calls";q=20;w=60;qu="requests", '
        '"tenant.day.sends";q=1000;w=86400;portero-unit="sends"',
        "ratelimit": '"member.calls";r=19, "tenant.day.sends";r=12;t=3600',
    }


def test_without_a_policy_there_is_no_field() -> None:
    assert fields([]) == {}


def test_the_time_is_never_too_early_and_not_the_same_for_all() -> None:
    found = {int(fields([Policy("a", 1, 1, 0, 1000)])["ratelimit"].partition("t=")[2]) for _ in range(200)}
    assert min(found) >= 1000
    assert max(found) <= 1052
    assert len(found) > 10


@given(
    st.lists(st.builds(Policy, NAMES, NUMBERS, NUMBERS, NUMBERS, st.none() | NUMBERS, NAMES), min_size=1, max_size=5)
)
def test_it_is_always_a_structured_list(policies: list[Policy]) -> None:
    for value in fields(policies).values():
        assert LIST.fullmatch(value), value


@pytest.mark.parametrize("name", ["día", "a\nb", "\x7f"])
def test_a_name_that_no_header_holds_is_refused_and_a_plain_one_is_not(name: str) -> None:
    assert fields([Policy("dia", 1, 1, 1)])
    with pytest.raises(ValueError, match="ASCII"):
        fields([Policy(name, 1, 1, 1)])
