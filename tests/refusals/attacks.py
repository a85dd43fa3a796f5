"""The attacks, by guard kind. Each is a column of the matrix: a name that people read, and what it changes."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from shared.cloud import parameters
from shared.settings import Secret
from tests.refusals.calls import Answer, Event, Http, Sign, ask, hex_mac, queue_event, sealed, some_ids

DOES_NOT_APPLY = "-"
Attack = Callable[[World, "Target"], Answer | None]


class Target:
    """A function under attack, with what it takes to call it rightly."""

    def __init__(self, function: str, kind: str, good: Callable[[World], Event]) -> None:
        self.function = function
        self.kind = kind
        self.good = good

    def ask(self, world: World, call: Http | Event) -> Answer:
        return ask(world, self.function, call.event() if isinstance(call, Http) else call)


class Signed(Target):
    """A webhook: `sign` makes a good call of a body and a secret, `signature` names the header that carries it."""

    def __init__(
        self, function: str, scheme: str, sign: Sign, body: bytes, secret: Secret, signature: str, other: Secret
    ) -> None:
        super().__init__(function, f"hmac({scheme})", lambda world: self.call(world).event())
        self.sign, self.body, self.secret, self.signature, self.other = sign, body, secret, signature, other

    def call(self, world: World, body: bytes | None = None, secret: str | None = None, at: float = 0) -> Http:
        key = secret_of(world, self.secret) if secret is None else secret
        return self.sign(self.body if body is None else body, key, clock.now() + at)


def secret_of(world: World, name: Secret) -> str:
    value: str = json.loads(world.plan.secret_parameters()[name])[0]["value"]
    return value


@contextmanager
def stored(world: World, name: Secret, value: str | None) -> Iterator[None]:
    """Within the block the parameter store holds this value, or nothing."""
    ssm, full_name = world.cloud.client("ssm"), f"/portero/local/{name}"
    if value is None:
        ssm.delete_parameter(Name=full_name)
    else:
        ssm.put_parameter(Name=full_name, Value=value, Type="SecureString", Overwrite=True)
    parameters.forget()
    try:
        yield
    finally:
        ssm.put_parameter(
            Name=full_name, Value=world.plan.secret_parameters()[name], Type="SecureString", Overwrite=True
        )
        parameters.forget()


def _signature_changed(change: Callable[[str], str]) -> Attack:
    def attack(world: World, target: Target) -> Answer | None:
        assert isinstance(target, Signed)
        call = target.call(world)
        if not target.signature:
            # The signature is a part of the form, in front of the dot.
            name, _, value = call.body.decode().partition("=")
            mac, _, payload = value.partition(".")
            return target.ask(world, replace(call, body=f"{name}={change(mac)}.{payload}".encode("utf-8", "replace")))
        return target.ask(world, call.with_headers(**{target.signature: change(call.headers[target.signature])}))

    return attack


def _other_secret(world: World, target: Target) -> Answer | None:
    assert isinstance(target, Signed)
    return target.ask(world, target.call(world, secret="a guess"))


def _other_providers_secret(world: World, target: Target) -> Answer | None:
    assert isinstance(target, Signed)
    return target.ask(world, target.call(world, secret=secret_of(world, target.other)))


def _mac_of_another_body(world: World, target: Target) -> Answer | None:
    assert isinstance(target, Signed)
    other = json.loads(target.body)
    other["data"] = {"id": "999"}
    other_call, call = target.call(world, json.dumps(other).encode()), target.call(world)
    if not target.signature:
        mac = other_call.body.decode().partition("=")[2].partition(".")[0]
        payload = call.body.decode().partition(".")[2]
        return target.ask(world, replace(call, body=f"signed_request={mac}.{payload}".encode()))
    return target.ask(world, replace(call, headers=other_call.headers))


def _reserialised(world: World, target: Target) -> Answer | None:
    assert isinstance(target, Signed)
    if not target.signature or target.kind == "hmac(mercadopago)":
        return None  # the signed text is not the body
    call = target.call(world)
    body = json.dumps(json.loads(call.body), ensure_ascii=False, indent=1).encode()
    return target.ask(world, replace(call, body=body))


def _no_signature(world: World, target: Target) -> Answer | None:
    assert isinstance(target, Signed)
    call = target.call(world)
    if not target.signature:
        return target.ask(world, replace(call, body=b""))
    return target.ask(world, call.with_headers(**{target.signature: ""}))


def _at(seconds: float) -> Attack:
    def attack(world: World, target: Target) -> Answer | None:
        assert isinstance(target, Signed)
        return target.ask(world, target.call(world, at=seconds)) if target.kind == "hmac(paddle)" else None

    return attack


def _replay(world: World, target: Target) -> Answer | None:
    assert isinstance(target, Signed)
    call = target.call(world)
    target.ask(world, call)
    return target.ask(world, call)


def _secret_stored(value: str | None) -> Attack:
    def attack(world: World, target: Target) -> Answer | None:
        assert isinstance(target, Signed)
        with stored(world, target.secret, value):
            return target.ask(world, target.call(world, secret=""))

    return attack


def _method(world: World, target: Target) -> Answer | None:
    event = target.good(world)
    event["requestContext"]["http"]["method"] = "PUT"
    return target.ask(world, event)


def _too_large(world: World, target: Target) -> Answer | None:
    event = target.good(world)
    return target.ask(world, event | {"body": "x" * (4 * 1024 * 1024), "isBase64Encoded": False})


def _base64_flipped(world: World, target: Target) -> Answer | None:
    event = target.good(world)
    return target.ask(world, event | {"isBase64Encoded": not event["isBase64Encoded"]})


def _headers_too_large(world: World, target: Target) -> Answer | None:
    event = target.good(world)
    return target.ask(world, event | {"headers": event["headers"] | {"x-much": "x" * 20_000}})


def _of_another_algorithm(text: str) -> str:
    for name, other in (("sha256=", "sha1="), ("v1=", "v0="), ("h1=", "h0=")):
        if name in text:
            return text.replace(name, other)
    return text[:27]  # a bare SHA-1 is 20 bytes


EDGE: dict[str, Attack] = {
    "wrong method": _method,
    "body too large": _too_large,
    "headers too large": _headers_too_large,
}

HMAC: dict[str, Attack] = {
    "no signature": _no_signature,
    "another secret": _other_secret,
    "another provider's secret": _other_providers_secret,
    "MAC of another body": _mac_of_another_body,
    "body re-serialised": _reserialised,
    "MAC too short": _signature_changed(lambda text: text[:-2]),
    "MAC in upper case": _signature_changed(str.swapcase),
    "MAC not ASCII": _signature_changed(lambda text: text[:-1] + "é"),
    "header twice": _signature_changed(lambda text: f"{text},{text}"),
    "another algorithm": _signature_changed(
        lambda text: text.replace("sha256=", "sha1=").replace("1=", "0=")[:-1] + "~"
    ),
    "signed an hour ago": _at(-3600),
    "signed in an hour": _at(3600),
    "secret not set": _secret_stored(None),
    "secret empty": _secret_stored('[{"value": "", "expires": null}]'),
    "secret expired": _secret_stored('[{"value": "x", "expires": "2020-01-01T00:00:00Z"}]'),
    "base64 flag flipped": _base64_flipped,
    **EDGE,
    "replay": _replay,
}


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


def _cron_http(headers: str = "{}", query: str = "{}", body: str = "") -> Attack:
    """A POST; SECRET in the texts becomes the live secret."""

    def attack(world: World, target: Target) -> Answer | None:
        path = f"/cron/{target.function.partition('_')[2].replace('_', '-')}"
        filled = [text.replace("SECRET", world.plan.keys.cron) for text in (headers, query, body)]
        call = Http("POST", path, json.loads(filled[0]), json.loads(filled[1]), filled[2].encode())
        return target.ask(world, call)

    return attack


def _cron_event(event: dict[str, object]) -> Attack:
    return lambda world, target: target.ask(world, dict(event))


def _cron_stored(value: str | None) -> Attack:
    def attack(world: World, target: Target) -> Answer | None:
        with stored(world, Secret.CRON_SECRET, value):
            return target.ask(world, {"schedule": target.function, "authorization": "Bearer "})

    return attack


CRON: dict[str, Attack] = {
    "event without the secret": _cron_event({}),
    "event with a wrong secret": _cron_event({"authorization": "Bearer wrong"}),
    "event that says it is AWS": _cron_event({"source": "aws.events", "detail-type": "Scheduled Event"}),
    "HTTP without the secret": _cron_http(),
    "HTTP with a wrong secret": _cron_http(headers='{"authorization": "Bearer wrong"}'),
    "the secret without Bearer": _cron_http(headers='{"authorization": "SECRET"}'),
    "the secret in the query": _cron_http(query='{"authorization": "Bearer SECRET", "secret": "SECRET"}'),
    "the secret in the body": _cron_http(body='{"authorization": "Bearer SECRET"}'),
    "secret not set": _cron_stored(None),
    "secret empty": _cron_stored('[{"value": "", "expires": null}]'),
}


class Consumer(Target):
    """A function that a queue feeds."""

    def __init__(self, function: str, queue: str) -> None:
        super().__init__(function, f"queue({queue})", lambda world: self.records(world, self.envelope(world)))
        self.queue = queue

    def arn(self, world: World) -> str:
        return world.variables[self.function][f"{self.queue.upper()}_QUEUE_ARN"]

    def envelope(self, world: World, key: str | None = None, queue: str | None = None) -> str:
        return sealed(
            queue or self.queue, world.plan.keys.queue if key is None else key, **some_ids(world.owner.tenant)
        )

    def records(self, world: World, *bodies: str) -> Event:
        return queue_event(self.arn(world), *bodies)


def _records(make: Callable[[World, Consumer], Event]) -> Attack:
    def attack(world: World, target: Target) -> Answer | None:
        assert isinstance(target, Consumer)
        return target.ask(world, make(world, target))

    return attack


def _bare(world: World, target: Consumer) -> str:
    return json.dumps({"queue": target.queue, "at": 1, "ids": some_ids(world.owner.tenant)})


def _queue_key_stored(world: World, target: Target) -> Answer | None:
    assert isinstance(target, Consumer)
    with stored(world, Secret.QUEUE_KEY, '[{"value": "", "expires": null}]'):
        return target.ask(world, target.records(world, target.envelope(world, key="")))


QUEUE: dict[str, Attack] = {
    "another queue's ARN": _records(lambda world, target: queue_event(target.arn(world) + "x", target.envelope(world))),
    "unsigned envelope": _records(lambda world, target: target.records(world, _bare(world, target))),
    "another key": _records(lambda world, target: target.records(world, target.envelope(world, key="a guess"))),
    "sealed for another queue": _records(
        lambda world, target: target.records(world, target.envelope(world, queue="other"))
    ),
    "MAC of another envelope": _records(
        lambda world, target: target.records(world, target.envelope(world)[:65] + '{"queue":"x","ids":{}}')
    ),
    "malformed beside a good one": _records(
        lambda world, target: target.records(world, target.envelope(world), "{}", "", target.envelope(world))
    ),
    "key empty": _queue_key_stored,
    "replay": _records(lambda world, target: target.records(world, target.envelope(world), target.envelope(world))),
}

PUBLIC: dict[str, Attack] = {
    "wrong method": _method,
    "body too large": _too_large,
    "headers too large": _headers_too_large,
}
