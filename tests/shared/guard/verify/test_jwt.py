"""Access tokens against a key set of our own; the address of the keys is answered without a network."""

import hmac
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_encode

from shared.errors import Refused, Unavailable
from shared.guard.verify import jwt as verifier

ISSUER = "https://project.example/auth/v1"
NOW = 1_800_000_000
USER = "6f1d5a3e-8d3c-4f0e-9a51-7c1f6f0c2a10"
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
CLAIMS = {
    "iss": ISSUER,
    "aud": "authenticated",
    "exp": NOW + 3600,
    "iat": NOW,
    "sub": USER,
    "role": "authenticated",
    "session_id": USER,
    "is_anonymous": False,
    "aal": "aal1",
}


@pytest.fixture(autouse=True)
def published_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    key = json.loads(ECAlgorithm.to_jwk(KEY.public_key())) | {"kid": "one", "alg": "ES256", "use": "sig"}
    monkeypatch.setattr(jwt.PyJWKClient, "fetch_data", lambda self: {"keys": [key]})
    verifier._keys.cache_clear()


def token(key: ec.EllipticCurvePrivateKey = KEY, kid: str = "one", **change: object) -> str:
    claims = {name: value for name, value in (CLAIMS | change).items() if value is not ...}
    return jwt.encode(claims, key, algorithm="ES256", headers={"kid": kid})


def test_a_good_token_names_its_user():
    caller = verifier.verify_token(f"Bearer {token()}", ISSUER, NOW)
    assert caller.user == USER
    assert token()[:20] not in repr(caller)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"exp": NOW - 31}, "token_expired"),
        ({"iat": NOW + 31}, "token_early"),
        ({"nbf": NOW + 31}, "token_early"),
        ({"exp": "soon"}, "token_invalid"),
        ({"iss": "https://other.example/auth/v1"}, "token_invalid"),
        ({"aud": "anon"}, "token_invalid"),
        ({"aud": ...}, "token_invalid"),
        ({"sub": ...}, "token_invalid"),
        ({"role": "service_role"}, "token_role"),
        ({"role": "anon"}, "token_role"),
        ({"is_anonymous": True}, "token_anonymous"),
        ({"is_anonymous": ...}, "token_anonymous"),
        ({"client_id": "somebody's app"}, "token_client"),
        ({"session_id": ...}, "token_subject"),
        ({"sub": "not-a-uuid"}, "token_subject"),
    ],
)
def test_a_token_that_is_wrong_in_one_claim_is_refused(change, name):
    assert verifier.verify_token(f"Bearer {token()}", ISSUER, NOW)
    with pytest.raises(Refused) as caught:
        verifier.verify_token(f"Bearer {token(**change)}", ISSUER, NOW)
    assert caught.value.name == name
    assert caught.value.status == 401


def unsigned() -> str:
    return jwt.encode(CLAIMS, None, algorithm="none", headers={"kid": "one"})


def signed_with_the_public_key() -> str:
    """The confusion of RFC 8725, 2.1: an HMAC keyed with what everybody can read. By hand, as PyJWT will not."""
    public = json.dumps(json.loads(ECAlgorithm.to_jwk(KEY.public_key()))).encode()
    parts = [base64url_encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "one"}, CLAIMS)]
    mac = hmac.digest(public, b".".join(parts), "sha256")
    return b".".join([*parts, base64url_encode(mac)]).decode()


@pytest.mark.parametrize(
    ("authorization", "name"),
    [
        ("", "token_missing"),
        (f"bearer {token()}", "token_missing"),
        ("Bearer ", "token_invalid"),
        ("Bearer a.b.c", "token_invalid"),
        (f"Bearer {token(OTHER_KEY)}", "token_invalid"),
        (f"Bearer {token(kid='two')}", "token_invalid"),
        (f"Bearer {unsigned()}", "token_invalid"),
        (f"Bearer {signed_with_the_public_key()}", "token_invalid"),
    ],
)
def test_a_token_that_is_not_ours_is_refused(authorization, name):
    assert verifier.verify_token(f"Bearer {token()}", ISSUER, NOW)
    with pytest.raises(Refused) as caught:
        verifier.verify_token(authorization, ISSUER, NOW)
    assert caught.value.name == name


def test_without_the_keys_nobody_is_admitted(monkeypatch):
    def unreachable(self):
        raise jwt.PyJWKClientConnectionError("away")

    monkeypatch.setattr(jwt.PyJWKClient, "fetch_data", unreachable)
    with pytest.raises(Unavailable) as caught:
        verifier.verify_token(f"Bearer {token()}", ISSUER, NOW)
    assert caught.value.status == 503


@given(st.text())
def test_random_text_is_refused(text):
    with pytest.raises(Refused):
        verifier.verify_token(f"Bearer {text}", ISSUER, NOW)
