"""Mercado Pago's x-signature, over a vector made by hand from the documented manifest."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.billing_payloads import mercadopago_headers
from shared.errors import Refused
from shared.guard.verify.mercadopago import FUTURE_SECONDS, seconds_of, verify_signature

SECRET = "panel secret"
NOW = 1_704_908_011.0
REQUEST_ID = "2f6a1c9e-0b7d"
# id:123456;request-id:2f6a1c9e-0b7d;ts:1704908010; signed once by openssl.
DIGEST = "708863030480efc9afc8a58fc7563adec1b3850aed97d48b2619e9109f4c5284"
HEADER = f"ts=1704908010,v1={DIGEST}"


def refusal(header: str, request_id: str, data_ids: list[str], secrets: list[str]) -> str:
    with pytest.raises(Refused) as caught:
        verify_signature(header, request_id, data_ids, secrets, NOW)
    assert caught.value.status == 401
    return caught.value.name


def accepted(data_id: str, signed_as: str | None = None, request_id: str = REQUEST_ID, ts: str = "1704908010") -> bool:
    headers = mercadopago_headers(data_id if signed_as is None else signed_as, SECRET, request_id=request_id, ts=ts)
    try:
        verify_signature(headers["x-signature"], request_id, [data_id] if data_id else [], [SECRET], NOW)
    except Refused:
        return False
    return True


def test_the_vector_is_accepted_and_says_what_is_signed():
    assert verify_signature(HEADER, REQUEST_ID, ["123456"], [SECRET], NOW) == (0, "123456", REQUEST_ID, "1704908010")


def test_spaces_and_keys_of_other_versions_do_not_matter():
    header = f" v2=abc, v1={DIGEST} , ts=1704908010"
    assert verify_signature(header, REQUEST_ID, ["123456"], [SECRET], NOW).place == 0


def test_any_live_secret_may_have_signed_whatever_the_spelling():
    assert verify_signature(HEADER, REQUEST_ID, ["123456"], ["new", SECRET], NOW).place == 1
    lower = mercadopago_headers("ord01abc", SECRET, request_id=REQUEST_ID, ts="1704908010")["x-signature"]
    assert verify_signature(lower, REQUEST_ID, ["ORD01ABC"], ["new", "test", SECRET], NOW).place == 2
    assert refusal(HEADER, REQUEST_ID, ["123456"], ["new"]) == "signature_wrong"


def test_an_id_is_signed_as_it_comes_or_in_lower_case():
    assert accepted("ORD01ABC")
    assert accepted("ORD01ABC", signed_as="ord01abc")
    assert not accepted("ord01abc", signed_as="ORD01ABC")


def test_a_missing_part_takes_its_pair_with_it():
    assert accepted("123456", request_id="")
    assert accepted("")
    assert not accepted("123456", signed_as="")
    assert not accepted("", signed_as="123456")


def test_a_signature_over_the_time_alone_covers_nothing():
    only_time = "ts=1704908010,v1=" + hmac.new(SECRET.encode(), b"ts:1704908010;", "sha256").hexdigest()
    assert refusal(only_time, "", [], [SECRET]) == "signature_covers_nothing"
    assert refusal(only_time, "", [""], [SECRET]) == "signature_covers_nothing"


def test_one_value_cannot_stand_for_two_signed_pairs():
    assert verify_signature(HEADER, REQUEST_ID, ["123456"], [SECRET], NOW)
    assert refusal(HEADER, "", [f"123456;request-id:{REQUEST_ID}"], [SECRET]) == "signature_malformed"
    without_request_id = mercadopago_headers("123456", SECRET, request_id="", ts="1")["x-signature"]
    assert refusal(without_request_id, "x;ts:1", ["123456"], [SECRET]) == "signature_malformed"


def test_seconds_and_milliseconds():
    assert accepted("1", ts="1704908010")
    assert accepted("1", ts="1704908010123")
    assert seconds_of("1704908010") == 1704908010
    assert seconds_of("1704908010123") == 1704908010.123
    assert seconds_of("999999999999") == 999_999_999_999


@pytest.mark.parametrize("scale", [1, 1000])
def test_no_age_is_too_old_and_a_day_ahead_is_too_early(scale):
    assert accepted("1", ts=str(1_500_000_000 * scale))
    assert accepted("1", ts=str((int(NOW) + FUTURE_SECONDS) * scale))
    early = str((int(NOW) + FUTURE_SECONDS + 1) * scale)
    header = mercadopago_headers("1", SECRET, request_id="", ts=early)["x-signature"]
    assert refusal(header, "", ["1"], [SECRET]) == "signature_early"


def test_an_empty_secret_or_none_at_all_admits_nobody():
    signed_with_nothing = mercadopago_headers("123456", "", request_id=REQUEST_ID, ts="1704908010")["x-signature"]
    assert refusal(signed_with_nothing, REQUEST_ID, ["123456"], [""]) == "signature_wrong"
    assert refusal(signed_with_nothing, REQUEST_ID, ["123456"], []) == "signature_wrong"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("", "signature_missing"),
        ("nonsense", "signature_malformed"),
        (f"v1={DIGEST}", "signature_malformed"),
        ("ts=1704908010", "signature_malformed"),
        (f"{HEADER},{HEADER}", "signature_malformed"),
        (f"{HEADER},v1={'0' * 64}", "signature_malformed"),
        (f"{HEADER},ts=1", "signature_malformed"),
        (HEADER[:-1], "signature_malformed"),
        (HEADER.upper(), "signature_malformed"),
        (f"ts=1704908010,v1={DIGEST.upper()}", "signature_malformed"),
        (f"ts=1704908010,v1={'é' * 64}", "signature_malformed"),
        (f"ts=1704908010,v1={DIGEST[:-1]}", "signature_malformed"),
        (f"ts=+1704908010,v1={DIGEST}", "signature_malformed"),
        (f"ts=١٧٠٤٩٠٨٠١٠,v1={DIGEST}", "signature_malformed"),
        (f"ts=²,v1={DIGEST}", "signature_malformed"),
        (f"ts=1704908011,v1={DIGEST}", "signature_wrong"),
        (f"ts=1704908010,v1={'0' * 64}", "signature_wrong"),
    ],
)
def test_other_headers_are_refused(header, name):
    assert verify_signature(HEADER, REQUEST_ID, ["123456"], [SECRET], NOW)
    assert refusal(header, REQUEST_ID, ["123456"], [SECRET]) == name


@pytest.mark.parametrize(
    ("request_id", "data_ids", "name"),
    [
        (REQUEST_ID, ["123457"], "signature_wrong"),
        (REQUEST_ID, [], "signature_wrong"),
        ("", ["123456"], "signature_wrong"),
        (REQUEST_ID + "0", ["123456"], "signature_wrong"),
        (REQUEST_ID, ["123456", "123456"], "signature_malformed"),
        (REQUEST_ID, ["123456 "], "signature_malformed"),
        (REQUEST_ID, ["123456\x00"], "signature_malformed"),
        (REQUEST_ID, ["1" * 201], "signature_malformed"),
        ("é", ["123456"], "signature_malformed"),
    ],
)
def test_another_id_is_refused(request_id, data_ids, name):
    assert verify_signature(HEADER, REQUEST_ID, ["123456"], [SECRET], NOW)
    assert refusal(HEADER, request_id, data_ids, [SECRET]) == name


any_text = st.text(alphabet=st.characters())
any_header = any_text | st.from_regex(r"ts=[0-9]{1,16},v1=[0-9a-f]{64}", fullmatch=True)


@given(any_header, any_text, st.lists(any_text, max_size=2), st.lists(st.text(), max_size=3))
def test_nothing_random_gets_in_and_nothing_raises_but_refused(header, request_id, data_ids, secrets):
    refusal(header, request_id, data_ids, secrets)


@given(
    st.from_regex(r"[!-:<-~]{0,30}", fullmatch=True),
    st.from_regex(r"[!-:<-~]{0,30}", fullmatch=True),
    st.integers(0, int(NOW)).map(str),
)
def test_what_is_signed_rightly_gets_in_and_comes_out_as_it_was(data_id, request_id, ts):
    if not data_id and not request_id:
        return
    header = mercadopago_headers(data_id, SECRET, request_id=request_id, ts=ts)["x-signature"]
    assert verify_signature(header, request_id, [data_id], [SECRET], NOW) == (0, data_id, request_id, ts)
