"""Time-based one-time passwords: RFC 6238 with SHA-1, 6 digits, steps of 30 s and one step of tolerance."""

import base64
import hmac
import secrets
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DIGITS = 6


def generate_secret() -> str:
    """160 random bits in base32, without padding."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code_at(secret: str, now: float) -> str:
    """The code of a base32 secret at `now` (unix seconds)."""
    counter = int(now // STEP_SECONDS).to_bytes(8)
    digest = hmac.digest(base64.b32decode(secret), counter, "sha1")
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def is_valid(code: str, secret: str, now: float) -> bool:
    """Whether `code` is that of `now` or of the step before or after."""
    steps = (now - STEP_SECONDS, now, now + STEP_SECONDS)
    return any(hmac.compare_digest(code.encode(), code_at(secret, step).encode()) for step in steps)


def uri(secret: str, issuer: str, account: str) -> str:
    """The otpauth: address that an authenticator reads from a QR code."""
    query = {"algorithm": "SHA1", "digits": DIGITS, "issuer": issuer, "period": STEP_SECONDS, "secret": secret}
    return f"otpauth://totp/{quote(issuer)}:{quote(account)}?{urlencode(query)}"


def picture(address: str) -> str:
    """An SVG that shows the address as text: the local stand-in for the QR code of the hosted service."""
    text = address.replace("&", "&amp;").replace("<", "&lt;")
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 40"><text x="4" y="24">{text}</text></svg>'
