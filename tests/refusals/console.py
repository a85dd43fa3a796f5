"""The attacks on the console's functions: everything that is not a good token of the right person."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_encode

from local.seed import open_account
from local.supabase.keys import SupabaseKeys
from local.world import World
from shared import clock
from tests.refusals.attacks import EDGE, Attack, Target
from tests.refusals.calls import Answer, Http, hex_mac


class Console(Target):
    """A function of the console: `call` is a good HTTP call without the token, `claims` what its token must say."""

    names_tenant = False

    def __init__(self, function: str, call: Http, claims: Callable[[World], dict[str, object]], strong: bool) -> None:
        super().__init__(function, "jwt", lambda world: self.bearing(world, self.token(world)).event())
        self.call, self.claims, self.strong = call, claims, strong

    def token(self, world: World, headers: dict[str, object] | None = None, **change: object) -> str:
        """A token signed with the project's key; a claim changed to ... is left out."""
        claims = {name: value for name, value in (self.claims(world) | change).items() if value is not ...}
        return mint(world, claims, headers or {})

    def bearing(self, world: World, token: str) -> Http:
        return self.call.with_headers(authorization=f"Bearer {token}")


def mint(world: World, claims: dict[str, object], headers: dict[str, object]) -> str:
    keys = SupabaseKeys(world.plan.keys.publishable, world.plan.keys.secret, world.plan.keys.signing_key_pem)
    kid = keys.jwks()["keys"][0]["kid"]
    return jwt.encode(claims, world.plan.keys.signing_key_pem, "ES256", headers={"kid": kid, **headers})


def by_hand(header: dict[str, object], claims: dict[str, object], key: str) -> str:
    """A token that a well-behaved library refuses to make; HMAC with `key`, or no signature at all."""
    parts = [base64url_encode(json.dumps(part).encode()).decode() for part in (header, claims)]
    mac = base64url_encode(bytes.fromhex(hex_mac(key, ".".join(parts).encode()))).decode() if key else ""
    return ".".join([*parts, mac])


def _token(make: Callable[[World, Console], str | None]) -> Attack:
    def attack(world: World, target: Target) -> Answer | None:
        assert isinstance(target, Console)
        token = make(world, target)
        return None if token is None else target.ask(world, target.bearing(world, token))

    return attack


def _claim(**change: object) -> Attack:
    return _token(lambda world, target: target.token(world, **change))


def _later(seconds: float) -> Attack:
    """The same good token, seen at another time."""

    def attack(world: World, target: Target) -> Answer | None:
        event = target.good(world)
        with clock.held_at(clock.now() + seconds):
            return target.ask(world, event)

    return attack


def _kid_of(world: World) -> str:
    return str(SupabaseKeys("", "", world.plan.keys.signing_key_pem).jwks()["keys"][0]["kid"])


def _public_key(world: World) -> str:
    public = SupabaseKeys("", "", world.plan.keys.signing_key_pem).jwks()["keys"][0]
    return json.dumps(public)


def _attackers_key(world: World, target: Console) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    shown = json.loads(ECAlgorithm.to_jwk(key.public_key()))
    headers = {"kid": _kid_of(world), "jwk": shown, "jku": "http://127.0.0.1:9/jwks", "x5u": "http://127.0.0.1:9/x5u"}
    return jwt.encode(target.claims(world), key, "ES256", headers=headers)


def _no_token(world: World, target: Target) -> Answer | None:
    assert isinstance(target, Console)
    return target.ask(world, target.call)


def _token_in_query(world: World, target: Target) -> Answer | None:
    assert isinstance(target, Console)
    return target.ask(world, replace(target.call, query={"access_token": target.token(world)}))


def _two_tokens(world: World, target: Target) -> Answer | None:
    assert isinstance(target, Console)
    token = target.token(world)
    return target.ask(world, target.bearing(world, f"{token},Bearer {token}"))


@cache
def strangers_token(world: World) -> str:
    """A good token of somebody else's business. Asked for before the state is compared, since it makes an account."""
    return open_account(world.plan, "otro@negocio.example", "Otro negocio").access_token


def _stranger(world: World, target: Target) -> Answer | None:
    assert isinstance(target, Console)
    return target.ask(world, target.bearing(world, strangers_token(world))) if target.names_tenant else None


def _weak(change: Callable[[float], dict[str, object]]) -> Attack:
    def attack(world: World, target: Target) -> Answer | None:
        assert isinstance(target, Console)
        if not target.strong:
            return None
        return target.ask(world, target.bearing(world, target.token(world, **change(clock.now()))))

    return attack


JWT: dict[str, Attack] = {
    "no token": _no_token,
    "not a token": _token(lambda world, target: "a.b.c"),
    "token in the query": _token_in_query,
    "two tokens": _two_tokens,
    "expired": _later(7200),
    "not yet valid": _later(-7200),
    "another issuer": _claim(iss="https://other.example/auth/v1"),
    "another audience": _claim(aud="anon"),
    "alg none": _token(lambda world, target: by_hand({"alg": "none", "kid": _kid_of(world)}, target.claims(world), "")),
    "HS256 with the public key": _token(
        lambda world, target: by_hand({"alg": "HS256", "kid": _kid_of(world)}, target.claims(world), _public_key(world))
    ),
    "HS256 with the publishable key": _token(
        lambda world, target: by_hand({"alg": "HS256"}, target.claims(world), world.plan.keys.publishable)
    ),
    "the secret key itself": _token(lambda world, target: world.plan.keys.secret),
    "role service_role": _claim(role="service_role"),
    "role anon": _claim(role="anon"),
    "anonymous user": _claim(is_anonymous=True),
    "no session": _claim(session_id=...),
    "no subject": _claim(sub=...),
    "unknown kid": _token(lambda world, target: target.token(world, {"kid": "unknown"})),
    "crit header": _token(lambda world, target: target.token(world, {"crit": ["x"], "x": 1})),
    "attacker's jwk, jku, x5u": _token(_attackers_key),
    "member of another business": _stranger,
    "one factor where two are asked": _weak(lambda now: {"aal": "aal1"}),
    "second factor an hour ago": _weak(
        lambda now: {
            "amr": [{"method": "password", "timestamp": int(now)}, {"method": "totp", "timestamp": int(now) - 3600}]
        }
    ),
    "session that was ended": _weak(lambda now: {"session_id": "00000000-0000-4000-8000-000000000000"}),
    **EDGE,
}
