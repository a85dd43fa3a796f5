"""The one rule for texts and the one for moments, against every value that JSON can carry, and against PostgreSQL."""

import json
import math
from datetime import UTC, datetime

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.data.fields import Moment
from shared.data.storable import EARLIEST, LATEST, REPLACEMENT, is_storable, moment_of, repaired, require_moment

NOW = 1_800_000_000.0
ARRIVED = datetime.fromtimestamp(NOW, UTC)

# Every code point, lone surrogates too, and the two kinds of bad ones often.
characters = st.characters() | st.characters(categories=["Cs"]) | st.sampled_from("\x00\ud800\udfffa")
texts = st.text(characters, max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
extremes = st.sampled_from([1e308, -1e308, 10**400, -0.0, 1e12, 253402300799])
numbers = st.integers() | st.floats() | extremes
YEARS = ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z"]
NO_DATES = ["nan", "inf", "-1", "1e308", "2026-02-30T00:00:00Z", "2026-11-23T16:06:40", "hoy", ""]
written = st.sampled_from(YEARS + NO_DATES)
moments = st.datetimes().map(lambda moment: moment.isoformat() + "Z") | st.datetimes().map(datetime.isoformat)
anything = numbers | numbers.map(str) | written | moments | values


def leaves(value: object) -> list[object]:
    """Everything in a JSON value that is no container, keys too."""
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in (key, *leaves(inner))]
    return [leaf for inner in value for leaf in leaves(inner)] if isinstance(value, list) else [value]


def texts_of(value: object) -> list[str]:
    return sorted(leaf for leaf in leaves(value) if isinstance(leaf, str))


@given(values)
def test_what_is_storable_stays_as_it_is_and_what_is_repaired_is_storable(value):
    fixed = repaired(value)
    assert is_storable(fixed)
    assert repaired(fixed) == fixed
    assert is_storable(value) == (fixed == value)


@given(values)
def test_a_repair_changes_single_characters_and_loses_nothing(value):
    before, after = leaves(value), leaves(repaired(value))
    assert len(before) == len(after)
    for was, now in zip(before, after, strict=True):
        if not isinstance(was, str):
            assert was is now
            continue
        expected = "".join(REPLACEMENT if not is_storable(character) else character for character in was)
        # A key that became like another one has got a longer name.
        assert now.rstrip(REPLACEMENT) == expected.rstrip(REPLACEMENT)
        assert len(now) >= len(expected)


def test_keys_that_differ_in_what_cannot_be_kept_stay_apart():
    fixed = repaired({"a\x00": "first", "a\udfff": "second", "a" + REPLACEMENT: "third"})
    assert sorted(fixed.values()) == ["first", "second", "third"]
    assert fixed["a" + REPLACEMENT] == "third"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(values, min_size=1, max_size=20))
def test_postgresql_agrees(connection, several):
    for value in several:
        document = json.dumps(repaired(value))
        [(back,)] = connection.execute("select %s::jsonb", [document]).fetchall()
        assert texts_of(back) == texts_of(json.loads(document))
        if not is_storable(value):
            with pytest.raises(psycopg.DataError):
                connection.execute("select %s::jsonb", [json.dumps(value)])


@pytest.fixture
def connection(world):
    with psycopg.connect(world.dsn("postgres"), autocommit=True) as opened:
        yield opened


@given(anything)
def test_whatever_a_provider_says_it_becomes_a_moment_of_these_years(said):
    moment = moment_of(said, NOW)
    assert EARLIEST <= moment < LATEST
    assert moment.utcoffset().total_seconds() == 0
    datetime.fromisoformat(moment.isoformat())


@given(st.datetimes(datetime(2010, 1, 1), datetime(2099, 12, 31, 23, 59, 59)))
def test_a_moment_of_these_years_is_believed_in_every_form(naive):
    moment = naive.replace(tzinfo=UTC, microsecond=0)
    seconds = int(moment.timestamp())
    for said in (seconds, str(seconds), seconds * 1000, str(seconds * 1000), moment.isoformat()):
        assert moment_of(said, NOW) == moment
    assert require_moment(moment.isoformat()) == moment


@given(anything)
def test_a_person_is_told_of_a_date_that_none_of_these_years_has(said):
    moment = complaint = None
    try:
        moment = TypeAdapter(Moment).validate_python(said)
    except ValidationError as error:
        complaint = str(error)
    assert (isinstance(said, str) and EARLIEST <= moment < LATEST) if moment else "2010 to 2099" in complaint


@pytest.mark.parametrize("said", [True, None, math.nan, math.inf, -1, 1e308, 10**400, "nan", "1e308", [], {}, "9" * 40])
def test_the_absurd_ones_by_name(said):
    assert moment_of(said, NOW) == ARRIVED
    with pytest.raises(ValueError, match="2010 to 2099"):
        require_moment(said)
