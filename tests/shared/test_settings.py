"""Settings that hold a list or a number have one form each, and every other form is refused by the setting's name."""

import re
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.errors import Unavailable
from shared.guard import Response, guard, public
from shared.settings import Setting, read_list, read_number

WORD = re.compile("[a-z]+")


@pytest.mark.parametrize(
    ("text", "entries"), [("", ()), ("  ", ()), ("a", ("a",)), ("b a", ("b", "a")), (" b  a ", ("b", "a"))]
)
def test_list_is_divided_by_spaces(monkeypatch, text, entries):
    monkeypatch.setenv("MEDIA_HOSTS", text)
    assert read_list(Setting.MEDIA_HOSTS, WORD.fullmatch) == entries


@pytest.mark.parametrize("text", ["a,b", "a, b", "a A", "a a", "a;b", "a\tb,"])
def test_malformed_list_is_refused_by_name(monkeypatch, text):
    monkeypatch.setenv("MEDIA_HOSTS", text)
    with pytest.raises(Unavailable, match="setting_malformed_MEDIA_HOSTS"):
        read_list(Setting.MEDIA_HOSTS, WORD.fullmatch)


@pytest.mark.parametrize(
    ("text", "number"), [("", 5.0), (" ", 5.0), ("1", 1.0), ("0.25", 0.25), ("010", 10.0), ("10.0", 10.0)]
)
def test_number_in_digits_is_read(monkeypatch, text, number):
    monkeypatch.setenv("LOG_SAMPLE", text)
    assert read_number(Setting.LOG_SAMPLE, 5.0, 0.0, 10.0) == number


@given(st.text(min_size=1).filter(lambda text: "\x00" not in text and text.strip() and text.isprintable()))
@example("nan")
@example("inf")
@example("-1")
@example("+1")
@example("1e1")
@example("1_0")
@example("1,5")
@example(".5")
@example("5.")
@example("\u0661")
@example("10.1")
@example("0" * 10)
def test_every_other_number_is_refused_by_name(text):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LOG_SAMPLE", text)
        try:
            number = read_number(Setting.LOG_SAMPLE, 5.0, 0.0, 10.0)
        except Unavailable as refused:
            number = None
            name = refused.name
    if number is None:
        assert name == "setting_malformed_LOG_SAMPLE"
    else:
        assert re.fullmatch(r"[0-9]+(\.[0-9]+)?", text.strip())
        assert number <= 10


@pytest.mark.parametrize(("share", "status"), [("", 200), ("0.5", 200), ("50%", 503), ("2", 503), ("nan", 503)])
def test_malformed_share_of_logs_stops_every_function(monkeypatch, share, status):
    def body(request: object) -> Response:
        return Response()

    body.__module__ = "functions.public_probe"
    handler = guard(
        public(reason="a page for everybody", rate=9),
        methods=("GET",),
        seconds=1.0,
        secrets=(),
        writes=(),
        store_down="refuse",
    )(body)
    monkeypatch.setenv("LOG_SAMPLE", share)
    event = {"requestContext": {"http": {"method": "GET"}}}
    answer = handler(event, SimpleNamespace(get_remaining_time_in_millis=lambda: 1000))
    assert answer["statusCode"] == status
