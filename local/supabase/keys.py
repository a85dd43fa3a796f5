"""The keys of a local project: two opaque API keys and the ES256 key that signs access tokens."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.types import Options

AUDIENCE = "authenticated"
LEEWAY_SECONDS = 30.0  # what PostgREST allows between two clocks

# PyJWT knows only the clock of the machine; here the clock is an argument, so `verify` checks the times itself.
UNTIMED: Options = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "require": ["exp"],
}


class TokenError(Exception):
    """An access token that this project does not accept. `expired` tells the one cause that callers treat apart."""

    def __init__(self, message: str, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


@dataclass(frozen=True)
class SupabaseKeys:
    """Plain strings, so that a plan on disk can keep them. `signing_key_pem` is a PKCS #8 P-256 private key."""

    publishable: str
    secret: str
    signing_key_pem: str

    @cached_property
    def _private_key(self) -> ec.EllipticCurvePrivateKey:
        key = load_pem_private_key(self.signing_key_pem.encode(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("signing_key_pem is not an elliptic curve key.")
        return key

    @cached_property
    def _public_jwk(self) -> dict[str, Any]:
        public = jwt.algorithms.ECAlgorithm.to_jwk(self._private_key.public_key(), as_dict=True)
        # RFC 7638: the thumbprint of a key is a stable name for it.
        members = json.dumps({name: public[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
        thumbprint = hashlib.sha256(members.encode()).hexdigest()[:32]
        return {**public, "alg": "ES256", "use": "sig", "key_ops": ["verify"], "ext": True, "kid": thumbprint}

    def jwks(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set (RFC 7517)."""
        return {"keys": [self._public_jwk]}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """An ES256 token over `claims`, naming its key."""
        return jwt.encode(dict(claims), self._private_key, algorithm="ES256", headers={"kid": self._public_jwk["kid"]})

    def verify(self, token: str, now: float) -> dict[str, Any]:
        """The claims of a token that this project signed and that is valid at `now` (unix seconds).

        Raises TokenError.
        """
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._private_key.public_key(), algorithms=["ES256"], options=UNTIMED
            )
        except jwt.InvalidTokenError as error:
            raise TokenError(str(error)) from None
        if not isinstance(claims["exp"], (int, float)) or claims["exp"] + LEEWAY_SECONDS <= now:
            raise TokenError("JWT expired", expired=True)
        if any(claims.get(name, 0) > now + LEEWAY_SECONDS for name in ("iat", "nbf")):
            raise TokenError("JWT not yet valid")
        return claims


def generate_signing_key() -> str:
    """A fresh P-256 private key in PEM (PKCS #8)."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def generate_keys() -> SupabaseKeys:
    """Fresh random keys in the shapes of a hosted project."""
    return SupabaseKeys(
        publishable="sb_publishable_" + secrets.token_urlsafe(24),
        secret="sb_secret_" + secrets.token_urlsafe(24),
        signing_key_pem=generate_signing_key(),
    )
