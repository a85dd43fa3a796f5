"""Vectors of the "Signature Version 4 test suite" of AWS: get-vanilla and get-vanilla-query-order-key-case."""

import calendar

from shared.cloud.signature import Credentials, presigned_url, sign

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


def test_an_address_is_signed_as_in_the_example_of_s3():
    """Amazon S3 API Reference, "Authenticating Requests: Using Query Parameters", its example."""
    keys = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    url = "https://examplebucket.s3.amazonaws.com/test.txt"
    signed = presigned_url(
        url, {}, region="us-east-1", credentials=keys, now=calendar.timegm((2013, 5, 24, 0, 0, 0)), seconds=86400
    )
    assert signed.endswith("&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
    assert signed.startswith(f"{url}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524")
