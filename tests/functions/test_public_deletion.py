"""The page that tells how a deletion stands."""

import re
import time

import httpx
import pytest

from local.billing_payloads import privacy_form, signed_request
from local.world import World
from shared import clock
from shared.data.deletions import Status
from shared.guard.response import SECURITY_HEADERS
from shared.privacy import deletion_page

USER = "122091234567890123"


def asked(world: World, kind: str = "deletion") -> str:
    """The code of a fresh request."""
    form = privacy_form(signed_request(USER, world.plan.keys.meta_app_secret))
    headers = {"content-type": "application/x-www-form-urlencoded"}
    world.call("POST", f"/webhook/meta-privacy?kind={kind}", content=form, headers=headers).raise_for_status()
    [row] = world.rows("select code from deletion_requests")
    return str(row["code"])


def look(world: World, code: str | None, language: str = "") -> httpx.Response:
    query = {} if code is None else {"code": code}
    return world.call("GET", "/public/deletion", params=query, headers={"accept-language": language})


LANGUAGES = [
    ("es-AR,es;q=0.9,en;q=0.8", "es"),
    ("pt-BR", "pt"),
    ("en-GB,es;q=0.5", "en"),
    ("", "en"),
    ("fr, pt;q=0.1", "pt"),
]


@pytest.mark.parametrize("kind", ["deletion", "deauthorize"])
def test_it_says_what_was_asked_and_how_it_stands_in_the_readers_language(world, kind):
    code = asked(world, kind)
    for header, language in LANGUAGES:
        answer = look(world, code, header)
        texts = deletion_page.TEXTS[language]
        assert answer.status_code == 200
        assert f'<html lang="{language}">' in answer.text
        assert texts.asked[kind] in answer.text
        assert texts.states["received"] in answer.text
        assert f"{texts.received}: <time" in answer.text
        assert f"{texts.settled}: <time" not in answer.text
        assert USER not in answer.text


def test_every_end_is_told(world):
    code = asked(world)
    for state in ("done", "nothing_found", "refused"):
        world.rows("update deletion_requests set state = %s, settled_at = now()", state)
        answer = look(world, code, "pt")
        assert deletion_page.TEXTS["pt"].states[state] in answer.text
        assert "Concluído: <time" in answer.text


def test_an_unknown_code_is_a_page_of_the_same_shape(world):
    known = look(world, asked(world), "es")
    for code in (None, "", "0" * 32, "'; --", "<script>alert(1)</script>", "A" * 3000, "\x00"):
        unknown = look(world, code, "es")
        assert unknown.status_code == 404, code
        assert deletion_page.TEXTS["es"].unknown in unknown.text
        assert "<script" not in unknown.text
        without_paragraphs = [re.sub(r"<p>.*</p>\n", "", answer.text) for answer in (known, unknown)]
        assert without_paragraphs[0] == without_paragraphs[1]
        assert unknown.headers["content-type"] == known.headers["content-type"] == "text/html; charset=utf-8"


def test_nothing_is_loaded_and_the_security_headers_are_there(world):
    answer = look(world, asked(world))
    assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert not re.search(r"src=|href=|<script|<style|style=|https?:", answer.text)


def test_what_the_page_is_made_of_is_escaped(monkeypatch):
    texts = deletion_page.TEXTS["en"]._replace(title="<b>", unknown="a & b <i>")
    monkeypatch.setitem(deletion_page.TEXTS, "en", texts)
    page = deletion_page.page("en", None)
    assert "<b>" not in page
    assert "a &amp; b &lt;i&gt;" in page


def test_every_language_has_words_for_everything():
    kinds, states = {"deletion", "deauthorize"}, {"received", "done", "nothing_found", "refused"}
    for texts in deletion_page.TEXTS.values():
        assert (texts.asked.keys(), texts.states.keys()) == (kinds, states)
    assert "settled_at" in Status._fields


def test_it_is_refused_above_the_rate_and_without_the_database(world):
    code = asked(world)
    with clock.held_at(time.time() + 3600):
        with world.away("supabase"):
            assert look(world, code).status_code == 503
        statuses = [look(world, code).status_code for _ in range(30)]
    assert statuses == [200] * 29 + [429]
