"""One-time codes against the test vectors of RFC 6238, appendix B (their last six digits)."""

import base64

import pytest

from local.supabase.totp import code_at, generate_secret, is_valid, uri

SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_vectors(now: int, code: str) -> None:
    assert code_at(SECRET, now) == code


@pytest.mark.parametrize("code", ["", "28708", "2870820", "ñ87082", "287083"])
def test_other_codes_are_wrong(code: str) -> None:
    assert is_valid("287082", SECRET, 59)
    assert not is_valid(code, SECRET, 59)


def test_secrets_differ() -> None:
    assert generate_secret() != generate_secret()


def test_address_is_quoted() -> None:
    assert uri("ABC", "A & B", "x@y.z").startswith(
        "otpauth://totp/A%20%26%20B:x%40y.z?algorithm=SHA1&digits=6&issuer=A+%26+B"
    )
