import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.guard.strict_json import MAXIMUM_DEPTH, Malformed, parse, parse_storable

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_json_writes_is_read_back(value):
    assert parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff",
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 2}}',
        b"NaN",
        b"[Infinity]",
        b"1e999",
        b"1" * 33,
        b"[" * (MAXIMUM_DEPTH + 1) + b"]" * (MAXIMUM_DEPTH + 1),
        b"[" * 100_000,
    ],
)
def test_what_two_readers_could_understand_differently_is_malformed(raw):
    with pytest.raises(Malformed):
        parse(raw)


def test_the_deepest_allowed_nesting_is_read():
    assert parse(b"[" * MAXIMUM_DEPTH + b"]" * MAXIMUM_DEPTH)


@given(st.binary())
def test_random_bytes_are_read_or_malformed(raw):
    with contextlib.suppress(Malformed):
        parse(raw)


def test_texts_that_cannot_be_stored_are_repaired_and_others_stay():
    value = {"a\x00": ["\ud83d", "ação 👋", 1, None]}
    repaired = {"a\ufffd": ["\ufffd", "ação 👋", 1, None]}
    assert parse_storable(json.dumps(value).encode()) == repaired
    assert parse_storable(json.dumps(repaired, ensure_ascii=False).encode()) == repaired


@given(values)
def test_a_repaired_value_can_be_encoded(value):
    json.dumps(parse_storable(json.dumps(value).encode()), ensure_ascii=False).encode()
