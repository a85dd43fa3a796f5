"""The abuse cases: what a webhook meets sooner or later, each with what a good one does about it.

A case plays against a fresh process of one subject and the upstreams as new, and answers whether the subject passed.
"Refused" is an answer 400 to 499 and nothing kept, queued or remembered.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from bench.peers.events import Event, body_of, event, fresh_id, sign
from bench.peers.subjects import Process, Stuck, environment
from bench.peers.upstreams import Upstreams, live_secret

ANSWER_SECONDS = 3.0
SECRET_UNSET, SECRET_EMPTY = "unset", "empty"
STORES = ("database", "idempotency")


class Stage(NamedTuple):
    """What a case plays on. `sweep` runs the subject's own sweeper once, where it has one."""

    process: Process
    upstreams: Upstreams
    sweep: Callable[[], None]


class Case(NamedTuple):
    """`play` answers whether the subject passed; `secret` starts it without or with an empty app secret."""

    name: str
    play: Callable[[Stage], bool]
    secret: str = ""


def refused(make: Callable[[bytes], Event]) -> Callable[[Stage], bool]:
    """A call that must be refused, between two good ones that must pass: a dead subject refuses everything."""

    def play(stage: Stage) -> bool:
        before_good = _accepts(stage)
        effects = stage.upstreams.effects()
        status = stage.process.call(make(body_of(fresh_id())))["status"]
        untouched = stage.upstreams.effects() == effects
        return before_good and 400 <= status < 500 and untouched and _accepts(stage)

    return play


def signed(raw: bytes, **more: Any) -> Event:
    """These bytes with their right signature."""
    return event(raw, **more)


def with_header(value: str) -> Callable[[bytes], Event]:
    """A good body with this signature."""
    return lambda raw: event(raw, {"x-hub-signature-256": value.replace("GOOD", sign(raw).removeprefix("sha256="))})


def harmless(raw: bytes) -> Callable[[Stage], bool]:
    """Signed and without meaning: any answer but 5xx, which the provider would repeat for days, and no effect."""

    def play(stage: Stage) -> bool:
        effects = stage.upstreams.effects()
        status = stage.process.call(signed(raw))["status"]
        return status < 500 and stage.upstreams.effects() == effects and _accepts(stage)

    return play


def accept_base64(stage: Stage) -> bool:
    """API Gateway encodes what it does not take for text; the signature is over the decoded bytes."""
    one = fresh_id()
    status = stage.process.call(signed(body_of(one), encoded=True))["status"]
    return status == 200 and one in stage.upstreams.covered


def flip_base64(stage: Stage) -> bool:
    """The flag says base64, the body is not."""
    return refused(lambda raw: {**signed(raw), "isBase64Encoded": True})(stage)


def replay(stage: Stage) -> bool:
    """The same delivery twice: answered both times, one effect."""
    one = fresh_id()
    again = signed(body_of(one))
    first = stage.process.call(again)["status"]
    effects = stage.upstreams.effects()
    second = stage.process.call(again)["status"]
    return (first, second) == (200, 200) and one in stage.upstreams.covered and stage.upstreams.effects() == effects


def new_beside_seen(stage: Stage) -> bool:
    """A batch with a message that came before and one that did not: the new one must not go under."""
    seen, new = fresh_id(), fresh_id()
    first = stage.process.call(signed(body_of(seen)))["status"]
    second = stage.process.call(signed(body_of(seen, new)))["status"]
    return (first, second) == (200, 200) and new in stage.upstreams.covered


def failed_store(stage: Stage) -> bool:
    """The store is away: no 200 before the event is kept; when the provider comes again it is kept and queued."""
    return _survives(stage, failing=STORES)


def failed_queue(stage: Stage) -> bool:
    """The queue is away: the event is not lost, by the provider's retry or by the subject's own sweeper."""
    return _survives(stage, failing=("queue",))


def hanging_store(stage: Stage) -> bool:
    """The store takes the call and says nothing: an answer within three seconds all the same, nothing lost."""
    return _survives(stage, hanging=STORES)


def hanging_queue(stage: Stage) -> bool:
    """The same of the queue."""
    return _survives(stage, hanging=("queue",))


def hanging_rate(stage: Stage) -> bool:
    """The same of the rate limiter's store, where the subject asks one."""
    return _survives(stage, hanging=("rate",))


def no_secret(stage: Stage) -> bool:
    """Without its secret a webhook must stay shut: to no signature and to one made with an empty key."""
    process = stage.process
    if "error" in process.imported:
        return True
    raw = body_of(fresh_id())
    answers = [process.call(event(raw, headers))["status"] for headers in ({}, {"x-hub-signature-256": sign(raw, "")})]
    return all(status >= 400 for status in answers) and stage.upstreams.effects() == 0


def _survives(stage: Stage, *, failing: tuple[str, ...] = (), hanging: tuple[str, ...] = ()) -> bool:
    one = fresh_id()
    delivery = signed(body_of(one))
    process = stage.process
    with stage.upstreams.trouble(failing=failing, hanging=hanging):
        try:
            answer = process.call(delivery)
        except Stuck:
            return False
    if answer["wall_ms"] > ANSWER_SECONDS * 1000:
        return False
    if answer["status"] != 200 and stage.process.call(delivery)["status"] != 200:
        return False
    if one not in stage.upstreams.covered:
        stage.sweep()
    return one in stage.upstreams.covered


def _accepts(stage: Stage) -> bool:
    one = fresh_id()
    return stage.process.call(signed(body_of(one)))["status"] == 200 and one in stage.upstreams.covered


def _reserialised(raw: bytes) -> Event:
    return event(json.dumps(json.loads(raw)).encode(), {"x-hub-signature-256": sign(raw)})


def _too_large(raw: bytes) -> Event:
    return signed(raw[:-1] + b" " * (4 * 1024 * 1024) + raw[-1:])


CASES = (
    Case("signature: none", refused(lambda raw: event(raw, {}))),
    Case("signature: empty", refused(with_header(""))),
    Case("signature: of another secret", refused(lambda raw: event(raw, {"x-hub-signature-256": sign(raw, "other")}))),
    Case("signature: of another body", refused(lambda raw: event(raw, {"x-hub-signature-256": sign(raw + b" ")}))),
    Case("signature: the body was serialised anew", refused(_reserialised)),
    Case("signature: cut short", refused(lambda raw: event(raw, {"x-hub-signature-256": sign(raw)[:39]}))),
    Case("signature: not hexadecimal", refused(with_header("sha256=" + "zz" * 32))),
    Case("signature: not ASCII", refused(with_header("sha256=ñ" + "0" * 63))),
    Case("signature: SHA-1 only", refused(lambda raw: event(raw, {"x-hub-signature": sign(raw, digest="sha1")}))),
    Case("signature: header sent twice", refused(with_header("sha256=GOOD,sha256=" + "0" * 64))),
    Case("body: base64, rightly signed", accept_base64),
    Case("body: base64 flag on plain text", flip_base64),
    Case("body: signed, not UTF-8", harmless(b'{"object":"\xff\xfe"}')),
    Case("body: signed, not JSON", harmless(b"entry=1&object=page")),
    Case("body: signed, a list", harmless(b"[1,2,3]")),
    Case("body: signed, nested 20,000 deep", harmless(b"[" * 20_000 + b"]" * 20_000)),
    Case("body: signed, without its fields", harmless(b'{"object":"whatsapp_business_account","entry":[{"id":"1"}]}')),
    Case("door: another method", refused(lambda raw: signed(raw, method="DELETE"))),
    Case("door: 4 MB, rightly signed", refused(_too_large)),
    Case("door: secret unset", no_secret, SECRET_UNSET),
    Case("door: secret empty", no_secret, SECRET_EMPTY),
    Case("effect: the same delivery twice", replay),
    Case("effect: a new message beside a seen one", new_beside_seen),
    Case("effect: the store refuses", failed_store),
    Case("effect: the queue refuses", failed_queue),
    Case("effect: the store hangs", hanging_store),
    Case("effect: the queue hangs", hanging_queue),
    Case("effect: the rate limiter's store hangs", hanging_rate),
)


def variables_of(case: Case, upstreams: Upstreams) -> dict[str, str]:
    """The environment to start the subject with; the parameter store is made to agree."""
    if case.secret == SECRET_UNSET:
        upstreams.secrets.pop("META_APP_SECRET", None)
        return environment(upstreams, META_APP_SECRET=None)
    if case.secret == SECRET_EMPTY:
        upstreams.secrets["META_APP_SECRET"] = live_secret("")
        return environment(upstreams, META_APP_SECRET="")
    return environment(upstreams)
