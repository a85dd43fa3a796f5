"""Meta's signed_request, over vectors made by hand from the documented scheme."""

import base64
import hmac
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.billing_payloads import privacy_form, signed_request
from shared.errors import Refused
from shared.guard.verify.signed_request import LEEWAY_SECONDS, verify_form

SECRET = "897z956a2z7zzzzz5783z458zz3z7556"
NOW = 1_800_000_000.0
# {"algorithm":"HMAC-SHA256","issued_at":1799999999,"user_id":"218471"}, encoded and signed once by openssl.
PAYLOAD = "eyJhbGdvcml0aG0iOiJITUFDLVNIQTI1NiIsImlzc3VlZF9hdCI6MTc5OTk5OTk5OSwidXNlcl9pZCI6IjIxODQ3MSJ9"
SIGNATURE = "QmhWg12fBhIKKKGRWeWSmogW5wVjycs0H5srQSmqKzc"
GOOD = f"signed_request={SIGNATURE}.{PAYLOAD}".encode()


def refusal(body: bytes, secrets: list[str]) -> str:
    with pytest.raises(Refused) as caught:
        verify_form(body, secrets, NOW)
    assert caught.value.status == 401
    return caught.value.name


def signed_payload(payload: bytes) -> bytes:
    """A form whose signature holds, whatever the payload is."""
    encoded = base64.urlsafe_b64encode(payload)
    signature = base64.urlsafe_b64encode(hmac.digest(SECRET.encode(), encoded, "sha256"))
    return b"signed_request=" + signature + b"." + encoded


def signed(**payload: object) -> bytes:
    whole = {"algorithm": "HMAC-SHA256", "issued_at": int(NOW), "user_id": "218471"} | payload
    return signed_payload(json.dumps({name: value for name, value in whole.items() if value is not None}).encode())


def test_the_vector_is_accepted_and_says_whom_it_is_about():
    assert verify_form(GOOD, [SECRET], NOW) == (0, "218471", "1799999999")


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("user", ["218471", 218471])
def test_padded_and_unpadded_ids_as_texts_and_as_numbers(padded, user):
    form = privacy_form(signed_request(user, SECRET, at=NOW, padded=padded))
    assert verify_form(form, [SECRET], NOW) == (0, "218471", str(int(NOW)))


def test_any_live_secret_may_have_signed():
    assert verify_form(GOOD, ["the new one", SECRET], NOW).place == 1
    assert refusal(GOOD, ["the new one"]) == "signature_wrong"


def test_an_empty_secret_or_none_at_all_admits_nobody():
    signed_with_nothing = privacy_form(signed_request("218471", "", at=NOW))
    assert refusal(signed_with_nothing, [""]) == "signature_wrong"
    assert refusal(signed_with_nothing, []) == "signature_wrong"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"", "signed_request_missing"),
        (b"signed_request=", "signed_request_missing"),
        (b"other=1", "signed_request_missing"),
        (GOOD + b"&" + GOOD, "signed_request_malformed"),
        (GOOD.replace(b".", b""), "signed_request_malformed"),
        (GOOD + b".", "signed_request_malformed"),
        (GOOD.replace(b"=", b"=A"), "signed_request_malformed"),
        (b"signed_request=." + PAYLOAD.encode(), "signed_request_malformed"),
        (GOOD + "é".encode(), "signed_request_malformed"),
        (b"signed_request=%ff", "signed_request_malformed"),
        (b"a=1&" * 30 + GOOD, "signed_request_malformed"),
        (GOOD + b"A", "signature_wrong"),
        # Another spelling of the same 32 bytes: the last character has two bits to spare.
        (GOOD.replace(SIGNATURE.encode(), SIGNATURE[:-1].encode() + b"d"), "signature_wrong"),
        (b"signed_request=" + b"A" * 43 + b"." + PAYLOAD.encode(), "signature_wrong"),
        (signed_payload(b"no json"), "payload_malformed"),
        (signed_payload(b"[]"), "payload_malformed"),
        (signed_payload(b"\xff"), "payload_malformed"),
        (signed_payload(b'{"algorithm":"HMAC-SHA256","user_id":"1","user_id":"2"}'), "payload_malformed"),
        (signed(algorithm="HMAC-SHA1"), "algorithm_wrong"),
        (signed(algorithm=None), "algorithm_wrong"),
        (signed(user_id=None), "payload_malformed"),
        (signed(user_id=True), "payload_malformed"),
        (signed(user_id=""), "payload_malformed"),
        (signed(user_id="a b"), "payload_malformed"),
        (signed(user_id="1" * 129), "payload_malformed"),
        (signed(user_id={"id": 1}), "payload_malformed"),
        (signed(issued_at="soon"), "payload_malformed"),
        (signed(issued_at=-1), "payload_malformed"),
        (signed(issued_at=1.5), "payload_malformed"),
        (signed(issued_at=int(NOW) + LEEWAY_SECONDS + 1), "issued_early"),
    ],
)
def test_other_forms_are_refused(body, name):
    assert verify_form(GOOD, [SECRET], NOW)
    assert refusal(body, [SECRET]) == name


@pytest.mark.parametrize(
    "change",
    [
        {"issued_at": int(NOW) + LEEWAY_SECONDS},
        {"issued_at": 1_300_000_000},
        {"issued_at": "1300000000"},
        {"issued_at": None},
        {"algorithm": "hmac-sha256"},
        {"expires": 0, "oauth_token": "x", "user": {"country": "ar"}, "code": "y"},
    ],
)
def test_an_old_request_and_one_of_an_older_shape_are_accepted(change):
    assert verify_form(signed(**change), [SECRET], NOW).user_id == "218471"


def test_the_signature_is_over_the_encoded_text_and_not_over_what_it_says():
    decoded = base64.urlsafe_b64decode(PAYLOAD + "=" * (-len(PAYLOAD) % 4))
    signature = base64.urlsafe_b64encode(hmac.digest(SECRET.encode(), decoded, "sha256")).decode()
    assert refusal(urlencode({"signed_request": f"{signature}.{PAYLOAD}"}).encode(), [SECRET]) == "signature_wrong"


@given(st.binary() | st.text().map(lambda text: urlencode({"signed_request": text}).encode()), st.lists(st.text()))
def test_nothing_random_gets_in_and_nothing_raises_but_refused(body, secrets):
    refusal(body, secrets)


@given(st.binary())
def test_no_payload_however_signed_raises_anything_but_refused(payload):
    refusal(signed_payload(payload), [SECRET])


@given(st.dictionaries(st.sampled_from(["algorithm", "issued_at", "user_id"]), st.none() | st.integers() | st.text()))
def test_a_signed_payload_is_read_or_refused(payload):
    try:
        said = verify_form(signed(**payload), [SECRET], NOW)
    except Refused:
        return
    assert 0 < len(said.user_id) <= 128
    assert int(said.issued_at) <= NOW + LEEWAY_SECONDS
