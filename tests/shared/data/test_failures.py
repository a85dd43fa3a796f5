"""A database error becomes one answer by its meaning: seen on the map itself, and from the outside of the doors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.payloads import text, whatsapp_message
from local.world import World
from shared.data.failures import failure_of, row_not_found
from shared.errors import Unavailable
from tests.logged import names_logged

# Code -> what a person gets, what the server gets: (name, status).
NOT_FOUND, CONFLICT, VALUE = ("row_not_found", 404), ("row_conflict", 409), ("value_refused", 422)
MEANINGS = {
    "23503": (NOT_FOUND, NOT_FOUND),
    "P0002": (NOT_FOUND, NOT_FOUND),
    # Our own key is wrong: an outage, and nobody's missing row.
    "42501": (NOT_FOUND, ("database_refused_42501", 503)),
    "23505": (CONFLICT, CONFLICT),
    "22001": (VALUE, VALUE),
    "22P02": (VALUE, VALUE),
    "22P05": (VALUE, VALUE),
    "22023": (VALUE, VALUE),
    "23502": (VALUE, VALUE),
    "23514": (VALUE, VALUE),
    **{
        code: ((f"database_busy_{code}", 503),) * 2
        for code in ("57014", "55P03", "40001", "40P01", "53300", "53100", "08006", "08P01", "PGRST003")
    },
    **{
        code: ((f"database_refused_{code}", 503),) * 2
        for code in ("P0001", "42P01", "42883", "57P01", "XX000", "PGRST202", "PGRST301", "500", "401")
    },
    # What could be anything does not get into a name.
    "": (("database_refused_unknown", 503),) * 2,
    "22P02; drop": (("database_refused_unknown", 503),) * 2,
}


@pytest.mark.parametrize("code", MEANINGS)
def test_each_code_has_its_meaning(code):
    person, server = (failure_of(code, identity) for identity in ("person", "server"))
    assert ((person.name, person.status), (server.name, server.status)) == MEANINGS[code]
    for problem in (person, server):
        assert problem.body().keys() == {"type", "title", "status"}
        assert isinstance(problem, Unavailable) == (problem.status == 503)


@given(st.text() | st.integers() | st.none() | st.lists(st.text()), st.sampled_from(["person", "server"]))
def test_any_code_becomes_one_of_four_answers_without_words_of_its_own(code, identity):
    problem = failure_of(code, identity)
    assert problem.status in {404, 409, 422, 503}
    assert problem.detail == ""
    assert len(problem.name) <= 30


def test_absent_foreign_and_forbidden_are_one_answer():
    absent, forbidden, none = failure_of("P0002", "person"), failure_of("42501", "person"), row_not_found()
    assert absent.body() == forbidden.body() == none.body()
    assert absent.name == forbidden.name == none.name


@pytest.mark.parametrize(("identity", "level"), [("person", "WARNING"), ("server", "ERROR")])
def test_the_code_is_in_the_log_where_the_name_does_not_hold_it(caplog, identity, level):
    failure_of("22P05", identity)
    failure_of("57014", identity)
    assert [(record.levelname, record.message, record.code) for record in caplog.records] == [
        (level, "database refused", "22P05")
    ]


HIDDEN = "relation secret_table violates secret_constraint"


def break_function(world: World, signature: str, returns: str, code: str) -> None:
    """Make a database function fail with this code and with words that nobody outside may read."""
    world.rows(
        f"create or replace function public.{signature} returns {returns} language plpgsql as"
        f" $$ begin raise exception '{HIDDEN}' using errcode = '{code}', detail = '{HIDDEN}', hint = '{HIDDEN}'; end $$"
    )


@pytest.mark.parametrize("code", ["42501", "P0002", "23505", "22P05", "57014", "XX000"])
def test_a_person_gets_the_meaning_and_none_of_the_words(world, code):
    def ask():
        return world.call_as_owner("/ai/chat", {"tenant": world.owner.tenant, "text": "hola"})

    assert ask().status_code == 200
    break_function(
        world,
        "search_knowledge(p_tenant uuid, p_embedding extensions.vector, p_question text, p_limit integer)",
        "table (body text, source text, distance double precision)",
        code,
    )
    with names_logged() as names:
        refused = ask()
    assert ([*names], refused.status_code) == ([MEANINGS[code][0][0]], MEANINGS[code][0][1])
    assert "secret" not in refused.text


@pytest.mark.parametrize("code", ["42501", "23505", "22P05", "23514", "57014", "XX000"])
def test_a_provider_gets_no_5xx_for_a_value_and_nothing_is_lost(world, code):
    body = whatsapp_message(text("hola"))
    [kept] = world.rows("select pg_get_functiondef('public.keep_inbox(jsonb)'::regprocedure) as definition")
    break_function(world, "keep_inbox(p_items jsonb)", "jsonb", code)
    with names_logged() as names:
        refused = world.receive(body)
    assert ([*names], refused.status_code) == ([MEANINGS[code][1][0]], MEANINGS[code][1][1])
    assert "secret" not in refused.text
    # The provider comes again, and finds the function as it was.
    world.rows(kept["definition"].replace("%", "%%"))
    assert world.receive(body).json()["kept"] == 1
