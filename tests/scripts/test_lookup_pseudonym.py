"""Support's way from a number to the log: the names are those that queue_send wrote, and the number is not repeated."""

import io
import json

import pytest

from scripts import lookup_pseudonym
from shared.cloud import parameters
from shared.privacy.pseudonyms import pseudonym
from shared.settings import Secret
from tests.refusals.attacks import stored

KEYS = json.dumps([{"value": "newer" * 7, "expires": None}, {"value": "older" * 7, "expires": "2099-01-01T00:00:00Z"}])


@pytest.fixture
def given(monkeypatch):
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_number_in_any_notation_gives_its_names_under_every_live_key(world, given, capsys):
    with stored(world, Secret.PSEUDONYM_KEY, KEYS), world.as_server():
        named = pseudonym("contact", "5491155550101")
        given("+54 (9) 11 5555-0101\n\n")
        assert lookup_pseudonym.main([]) == 0
        out = capsys.readouterr().out.split()
        given("ana+loja@exemplo.com\n")
        assert lookup_pseudonym.main([]) == 0
        mails = capsys.readouterr().out.split()
    assert [token.partition("~")[0] for token in out] == ["contact", "contact", "phone", "phone"]
    assert out[0] == named
    assert len(set(out)) == 4
    assert [token.partition("~")[0] for token in mails] == ["email", "email"]


def test_a_key_that_cannot_be_read_is_named_and_the_number_is_not(world, given, capsys):
    with stored(world, Secret.PSEUDONYM_KEY, json.dumps([])), world.as_server():
        given("5491155550101")
        assert lookup_pseudonym.main([]) == 1
    parameters.forget()
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "The key could not be read: secret_malformed_PSEUDONYM_KEY\n")


@pytest.mark.parametrize("arguments", [["5491155550101"], ["--phone", "5491155550101"], ["--local", "a@b.example"]])
def test_a_number_on_the_command_line_is_refused_and_not_repeated(arguments, capsys):
    assert lookup_pseudonym.main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert arguments[-1] not in printed.err


def test_nothing_given_is_said(given, capsys):
    given("\n")
    assert lookup_pseudonym.main([]) == 2
    assert "nothing was given" in capsys.readouterr().err
