"""Paddle's signature. DOCUMENTED is the pair that Paddle's own Python SDK publishes; VECTOR was made by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.billing_payloads import paddle_signature
from shared.errors import Refused
from shared.guard.verify.paddle import verify_signature

DOCUMENTED_SECRET = "pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_WvRO0eL4Bj9rgYYIBZY6wZhG4EHy9jzh"
DOCUMENTED_HEADER = "ts=1696195954;h1=dummy;h1=d96299976a6eb066f484d7fde011ac56fc32b38fc9940bc419d6e537fdc6ef02"

SECRET = "pdl_ntfset_one"
BODY = rb'{"event_id":"evt_01","text":"a\u00e7\u00e3o"}'
NOW = 1_671_552_777.0
# 1671552777:BODY, signed once by openssl.
DIGEST = "1f6062fe77df37edc22186d57fc09a4d60b239f10b2d8354fa00d3f83631a7a7"
HEADER = f"ts=1671552777;h1={DIGEST}"
ZEROS = "0" * 64


def verify(header: str, *secrets: str, body: bytes = BODY, now: float = NOW, tolerance: int = 5) -> int:
    return verify_signature(body, header, secrets or (SECRET,), now, tolerance)


def refusal(header: str, *secrets: str, body: bytes = BODY, now: float = NOW) -> str:
    with pytest.raises(Refused) as caught:
        verify(header, *secrets, body=body, now=now)
    assert caught.value.status == 401
    return caught.value.name


def test_the_published_pair_and_the_vector_are_accepted():
    assert verify(DOCUMENTED_HEADER, DOCUMENTED_SECRET, body=b"hello-world", now=1696195954) == 0
    assert verify(HEADER) == 0


def test_the_whole_secret_is_the_key_prefix_included():
    assert refusal(HEADER, SECRET.removeprefix("pdl_ntfset_")) == "signature_wrong"


def test_during_a_rotation_any_h1_may_be_of_any_live_secret():
    assert verify(HEADER, "the new one", SECRET) == 1
    assert verify(f"ts=1671552777;h1={ZEROS};h1={DIGEST}") == 0
    assert verify(f"ts=1671552777;h1={DIGEST};h1={ZEROS}") == 0
    both = paddle_signature(BODY, "the old one", "the new one", at=NOW)
    assert verify(both, "the new one", "the old one") == 0
    assert verify(both, "the newest", "the old one") == 1
    assert refusal(both, "the newest") == "signature_wrong"


@pytest.mark.parametrize(
    "header",
    [
        f"ts=1671552777; h1={DIGEST}",
        f"h1={DIGEST};ts=1671552777",
        f"ts=1671552777;h2=other;h1={DIGEST};",
        f"ts=1671552777;h1={DIGEST};note;a=b=c",
    ],
)
def test_other_keys_and_spaces_do_not_matter(header):
    assert verify(header) == 0


def test_an_empty_secret_or_none_at_all_admits_nobody():
    signed_with_nothing = paddle_signature(BODY, "", at=NOW)
    assert refusal(signed_with_nothing, "") == "signature_wrong"
    with pytest.raises(Refused):
        verify_signature(BODY, signed_with_nothing, [], NOW, 5)


def test_the_tolerance_holds_in_both_directions():
    for difference in (-5, 0, 5):
        assert verify(HEADER, now=NOW + difference) == 0
    assert refusal(HEADER, now=NOW + 5.1) == "signature_stale"
    assert refusal(HEADER, now=NOW - 5.1) == "signature_early"
    assert verify(HEADER, now=NOW + 30, tolerance=30) == 0


def test_whose_signature_is_wrong_does_not_learn_whether_the_time_was():
    assert refusal(HEADER, "another", now=NOW + 1000) == "signature_wrong"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("", "signature_missing"),
        ("nonsense", "signature_malformed"),
        (f"h1={DIGEST}", "signature_malformed"),
        ("ts=1671552777", "signature_malformed"),
        ("ts=1671552777;h1=", "signature_malformed"),
        (f"{HEADER};ts=1671552777", "signature_malformed"),
        (f"ts=;h1={DIGEST}", "signature_malformed"),
        (f"ts=+1671552777;h1={DIGEST}", "signature_malformed"),
        (f"ts=1671552777.0;h1={DIGEST}", "signature_malformed"),
        (f"ts=١٦٧١٥٥٢٧٧٧;h1={DIGEST}", "signature_malformed"),
        (f"TS=1671552777;H1={DIGEST}", "signature_malformed"),
        (f"{HEADER},{HEADER}", "signature_malformed"),
        (f"ts=1671552777,h1={DIGEST}", "signature_malformed"),
        (HEADER[:-1], "signature_malformed"),
        (f"ts=1671552777;h1={DIGEST.upper()}", "signature_malformed"),
        (f"ts=1671552777;h1={'é' * 64}", "signature_malformed"),
        (f"ts=1671552777;h2={DIGEST}", "signature_malformed"),
        (f"ts=01671552777;h1={DIGEST}", "signature_wrong"),
        (f"ts=1671552778;h1={DIGEST}", "signature_wrong"),
        (f"ts=1671552777;h1={ZEROS}", "signature_wrong"),
    ],
)
def test_other_headers_are_refused(header, name):
    assert verify(HEADER) == 0
    assert refusal(header) == name


def test_one_changed_byte_of_the_body_is_refused():
    assert refusal(HEADER, body=BODY + b" ") == "signature_wrong"
    assert refusal(HEADER, body=BODY.decode("unicode_escape").encode()) == "signature_wrong"


any_header = st.text(alphabet=st.characters()) | st.from_regex(r"ts=[0-9]{1,12}(;h1=[0-9a-f]{64}){1,3}", fullmatch=True)


@given(st.binary(), any_header, st.lists(st.text(), max_size=3))
def test_nothing_random_gets_in_and_nothing_raises_but_refused(body, header, secrets):
    with pytest.raises(Refused):
        verify_signature(body, header, secrets, NOW, 5)


@given(st.binary(), st.text(min_size=1), st.integers(-5, 5))
def test_what_is_signed_rightly_and_in_time_gets_in(body, secret, difference):
    header = paddle_signature(body, secret, at=NOW + difference)
    assert verify_signature(body, header, [secret], NOW, 5) == 0
