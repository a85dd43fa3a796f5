"""Meta's signature and handshake. The first vector is Meta's scheme with a public, documented pair (GitHub's webhook
documentation uses the same header form)."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Refused
from shared.guard.verify.meta import verify_handshake, verify_signature

SECRET = "It's a Secret to Everybody"
BODY = b"Hello, World!"
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def refusal(body: bytes, header: str, secrets: list[str]) -> str:
    with pytest.raises(Refused) as caught:
        verify_signature(body, header, secrets)
    assert caught.value.status == 401
    return caught.value.name


def test_the_documented_pair_is_accepted():
    verify_signature(BODY, SIGNATURE, [SECRET])


def test_any_live_secret_may_have_signed():
    verify_signature(BODY, SIGNATURE, ["the new one", SECRET])
    assert refusal(BODY, SIGNATURE, ["the new one"]) == "signature_wrong"


def test_an_empty_secret_or_none_at_all_admits_nobody():
    signed_with_nothing = "sha256=" + hmac.new(b"", BODY, "sha256").hexdigest()
    assert refusal(BODY, signed_with_nothing, [""]) == "signature_wrong"
    assert refusal(BODY, signed_with_nothing, []) == "signature_wrong"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("", "signature_missing"),
        (SIGNATURE.removeprefix("sha256="), "signature_malformed"),
        (SIGNATURE[:-1], "signature_malformed"),
        (SIGNATURE.upper(), "signature_malformed"),
        ("sha256=" + SIGNATURE[7:].upper(), "signature_malformed"),
        (SIGNATURE + ",sha256=" + "0" * 64, "signature_malformed"),
        ("sha1=" + "0" * 40, "signature_malformed"),
        ("sha256=" + "é" * 64, "signature_malformed"),
        (SIGNATURE + "\n", "signature_malformed"),
        ("sha256=" + "0" * 64, "signature_wrong"),
    ],
)
def test_other_headers_are_refused(header, name):
    verify_signature(BODY, SIGNATURE, [SECRET])
    assert refusal(BODY, header, [SECRET]) == name


def test_one_changed_byte_of_the_body_is_refused():
    assert refusal(BODY + b" ", SIGNATURE, [SECRET]) == "signature_wrong"


@given(st.binary(), st.text(), st.lists(st.text(), max_size=3))
def test_nothing_random_gets_in_and_nothing_raises_but_refused(body, header, secrets):
    with pytest.raises(Refused):
        verify_signature(body, header, secrets)


QUERY = {"hub.mode": ["subscribe"], "hub.verify_token": ["right"], "hub.challenge": ["1158201444"]}


def test_the_handshake_answers_the_challenge():
    assert verify_handshake(QUERY, ["right"]) == "1158201444"


@pytest.mark.parametrize(
    ("change", "tokens", "name"),
    [
        ({"hub.verify_token": ["wrong"]}, ["right"], "handshake_token_wrong"),
        ({}, [], "handshake_token_wrong"),
        ({"hub.verify_token": [""]}, [""], "handshake_token_wrong"),
        ({"hub.mode": ["unsubscribe"]}, ["right"], "handshake_malformed"),
        ({"hub.mode": []}, ["right"], "handshake_malformed"),
        ({"hub.challenge": ["<script>"]}, ["right"], "handshake_malformed"),
        ({"hub.challenge": ["1", "2"]}, ["right"], "handshake_malformed"),
        ({"hub.verify_token": ["right", "right"]}, ["right"], "handshake_malformed"),
    ],
)
def test_other_handshakes_are_refused(change, tokens, name):
    assert verify_handshake(QUERY, ["right"])
    with pytest.raises(Refused) as caught:
        verify_handshake(QUERY | change, tokens)
    assert caught.value.name == name
    assert caught.value.status == 403
