"""Vectors of the "Signature Version 4 test suite" of AWS: get-vanilla and get-vanilla-query-order-key-case."""

import calendar

from shared.cloud.signature import Credentials, sign

KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
NOW = calendar.timegm((2015, 8, 30, 12, 36, 0))


def authorization(url: str) -> str:
    signed = sign("GET", url, {}, b"", service="service", region="us-east-1", credentials=KEYS, now=NOW)
    return signed["authorization"]


def test_get_vanilla():
    assert authorization("https://example.amazonaws.com/").endswith(
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


def test_get_vanilla_query_order_key_case():
    assert authorization("https://example.amazonaws.com/?Param2=value2&Param1=value1").endswith(
        "Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
    )


def test_a_session_token_is_signed_and_sent():
    keys = Credentials("AKIDEXAMPLE", "secret", "the token")
    signed = sign("GET", "https://x/", {}, b"", service="s", region="r", credentials=keys, now=NOW)
    assert signed["x-amz-security-token"] == "the token"
    assert "x-amz-security-token" in signed["authorization"]
