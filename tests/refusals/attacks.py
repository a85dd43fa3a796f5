"""The attacks, by guard kind. Each is a column of the matrix: a name that people read, and what it changes."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from local.world import World
from shared import clock
from shared.cloud import parameters
from shared.settings import Secret
from tests.refusals.calls import Answer, Event, Http, Sign, ask, queue_event, sealed, some_ids

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
    "secret expired": _secret_stored(
        '[{"value": "an-expired-value-of-more-than-32-bytes", "expires": "2020-01-01T00:00:00Z"}]'
    ),
    "base64 flag flipped": _base64_flipped,
    **EDGE,
    "replay": _replay,
}


def _schedule(change: Callable[[dict[str, object], World], object]) -> Attack:
    """The good event of a schedule, changed."""

    def attack(world: World, target: Target) -> Answer | None:
        return target.ask(world, change(dict(target.good(world)), world))

    return attack


def _schedule_stored(value: str | None) -> Attack:
    def attack(world: World, target: Target) -> Answer | None:
        with stored(world, Secret.CRON_SECRET, value):
            return target.ask(world, {"schedule": target.function, "authorization": "Bearer "})

    return attack


def _over_http(event: dict[str, object], world: World) -> object:
    headers = {"authorization": str(event["authorization"])}
    return Http("POST", f"/cron/{str(event['schedule']).partition('_')[2]}", headers, {}, b"").event()


CRON: dict[str, Attack] = {
    "no secret": _schedule(lambda event, _: {"schedule": event["schedule"]}),
    "a wrong secret": _schedule(lambda event, _: event | {"authorization": "Bearer wrong"}),
    "the secret without Bearer": _schedule(lambda event, world: event | {"authorization": world.plan.keys.cron}),
    "a secret that is no text": _schedule(lambda event, world: event | {"authorization": [world.plan.keys.cron]}),
    "event that says it is AWS": _schedule(lambda *_: {"source": "aws.events", "detail-type": "Scheduled Event"}),
    "one field more": _schedule(lambda event, _: event | {"source": "aws.events"}),
    "another function's schedule": _schedule(lambda event, _: event | {"schedule": "cron_other"}),
    "the secret over HTTP": _schedule(_over_http),
    "secret not set": _schedule_stored(None),
    "secret empty": _schedule_stored('[{"value": "", "expires": null}]'),
    "secret expired": _schedule_stored(
        '[{"value": "an-expired-value-of-more-than-32-bytes", "expires": "2020-01-01T00:00:00Z"}]'
    ),
}


class Consumer(Target):
    """A function that a queue feeds."""

    def __init__(self, function: str, queue: str) -> None:
        super().__init__(function, f"queue({queue})", lambda world: self.records(world, self.envelope(world)))
        self.queue = queue

    def arn(self, world: World) -> str:
        return world.variables[self.function][f"{self.queue.upper()}_QUEUE_ARN"]

    def envelope(
        self, world: World, key: str | None = None, queue: str | None = None, sent_at: float | None = None
    ) -> str:
        key = world.plan.keys.queue if key is None else key
        return sealed(queue or self.queue, key, sent_at, **some_ids(world.owner.tenant))

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
    "sealed in an hour": _records(
        lambda world, target: target.records(world, target.envelope(world, sent_at=clock.now() + 3600))
    ),
    "sealed a month ago": _records(
        lambda world, target: target.records(world, target.envelope(world, sent_at=clock.now() - 31 * 86_400))
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
