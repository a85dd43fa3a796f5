"""One text, one key, one place: nothing else opens it, and what is opened does not show itself."""

import base64
import copy
import json
import logging
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.data.encryption import NONCE_BYTES, Sensitive, associated, decrypt, encrypt
from shared.errors import Unavailable
from shared.privacy.logs import JsonLines

TENANT = "6b2f4a1e-0000-4000-8000-000000000001"
CHANNEL = "6b2f4a1e-0000-4000-8000-0000000000c1"
OTHER = "6b2f4a1e-0000-4000-8000-000000000002"
KEY = bytes(range(32))
PLACE = associated(TENANT, CHANNEL, "access_token", 1)
TOKEN = "EAAL0123456789-a-token"


def refusal(text: str, key: bytes = KEY, place: bytes = PLACE) -> str:
    with pytest.raises(Unavailable) as caught:
        decrypt(text, key, place)
    return caught.value.name


@given(st.text())
def test_what_was_encrypted_opens(text):
    assert decrypt(encrypt(Sensitive(text), KEY, PLACE), KEY, PLACE).reveal() == text


def test_the_same_text_is_never_the_same_ciphertext():
    written = {encrypt(Sensitive(TOKEN), KEY, PLACE) for _ in range(100)}
    nonces = {base64.urlsafe_b64decode(text[3:] + "==")[:NONCE_BYTES] for text in written}
    assert len(written) == len(nonces) == 100
    assert all(text.startswith("v1.") for text in written)


def test_no_changed_bit_opens():
    text = encrypt(Sensitive(TOKEN), KEY, PLACE)
    sealed = base64.urlsafe_b64decode(text[3:] + "=" * (-len(text[3:]) % 4))
    assert len(sealed) == 12 + len(TOKEN) + 16
    for place in range(len(sealed)):
        for bit in range(8):
            changed = bytearray(sealed)
            changed[place] ^= 1 << bit
            written = base64.urlsafe_b64encode(changed).decode().rstrip("=")
            assert refusal(f"v1.{written}") == "credential_unreadable"
    assert decrypt(text, KEY, PLACE).reveal() == TOKEN


def test_no_changed_bit_of_the_text_opens():
    text = encrypt(Sensitive(TOKEN), KEY, PLACE)
    for place in range(len(text)):
        for bit in range(7):
            changed = text[:place] + chr(ord(text[place]) ^ (1 << bit)) + text[place + 1 :]
            assert refusal(changed) == "credential_unreadable", (place, bit)
    assert decrypt(text, KEY, PLACE).reveal() == TOKEN


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "v1.",
        lambda text: text[3:],
        lambda text: "v2." + text[3:],
        lambda text: text + "=",
        lambda text: text + "\n",
        lambda text: text[:-1],
        lambda text: text[:10],
        lambda text: text.replace(".", ".!", 1),
        lambda text: "v1." + "é" * 60,
    ],
)
def test_another_spelling_does_not_open(spoil):
    text = encrypt(Sensitive(TOKEN), KEY, PLACE)
    assert refusal(spoil(text)) == "credential_unreadable"
    assert decrypt(text, KEY, PLACE).reveal() == TOKEN


@pytest.mark.parametrize(
    "place",
    [
        associated(OTHER, CHANNEL, "access_token", 1),
        associated(TENANT, OTHER, "access_token", 1),
        associated(CHANNEL, TENANT, "access_token", 1),
        associated(TENANT, CHANNEL, "refresh_token", 1),
        associated(TENANT, CHANNEL, "access_token", 2),
        associated(TENANT, CHANNEL, 'access_token", 1', 1),
        b"",
    ],
)
def test_another_place_does_not_open(place):
    text = encrypt(Sensitive(TOKEN), KEY, PLACE)
    assert refusal(text, place=place) == "credential_unreadable"
    assert decrypt(text, KEY, PLACE).reveal() == TOKEN


def test_another_key_does_not_open():
    text = encrypt(Sensitive(TOKEN), KEY, PLACE)
    assert refusal(text, key=bytes(32)) == "credential_unreadable"
    assert decrypt(text, KEY, PLACE).reveal() == TOKEN


@given(
    st.tuples(st.text(), st.text(), st.text(), st.integers()), st.tuples(st.text(), st.text(), st.text(), st.integers())
)
def test_no_two_places_read_the_same(one, other):
    assert (associated(*one) == associated(*other)) == (one == other)


def test_a_sensitive_text_shows_itself_only_when_told():
    token = Sensitive(TOKEN)
    record = logging.LogRecord("portero", logging.ERROR, "", 0, "sent with %s", (token,), None)
    record.token = token
    shown = [
        *(repr(token), str(token), f"{token}", f"{token:>40}", f"{token!r}", format(token, "x"), record.getMessage()),
        *(str([token]), str({"token": token}), str(dir(token)), json.dumps({"token": token}, default=repr)),
        JsonLines().format(record),
    ]
    assert not any(TOKEN in text for text in shown)
    assert repr(token) == str(token) == f"{token}" == f"{token:>40}" == "[redacted]"
    assert token.reveal() == TOKEN


@pytest.mark.parametrize("carry", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars, len, lambda t: "" + t])
def test_a_sensitive_text_is_not_carried_away(carry):
    with pytest.raises(TypeError) as caught:
        carry(Sensitive(TOKEN))
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_an_error_shows_neither_text_nor_key():
    text = encrypt(Sensitive(TOKEN), KEY, PLACE)
    with pytest.raises(Unavailable) as caught:
        decrypt(text, bytes(32), PLACE)
    report = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(caught.value.body())
    assert not any(secret in report for secret in (TOKEN, KEY.hex(), repr(KEY), text))
