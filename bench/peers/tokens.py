"""An access token as Supabase Auth signs it (ES256), and the public key as its key set shows it."""

import json
import time
import uuid

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

KEY_ID = "bench"


def signed_token(issuer: str) -> tuple[str, dict[str, str]]:
    """A token that is good for an hour, and its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    now = int(time.time())
    claims = {
        "iss": issuer,
        "sub": str(uuid.uuid4()),
        "aud": "authenticated",
        "exp": now + 3600,
        "iat": now,
        "role": "authenticated",
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": now}],
        "session_id": str(uuid.uuid4()),
        "is_anonymous": False,
        "email": "owner@example.test",
        "app_metadata": {"provider": "email"},
        "user_metadata": {},
    }
    token = jwt.encode(claims, private, algorithm="ES256", headers={"kid": KEY_ID})
    public: dict[str, str] = json.loads(ECAlgorithm.to_jwk(private.public_key()))
    return token, {**public, "kid": KEY_ID, "alg": "ES256", "use": "sig"}
