"""What no column can hold never reaches the database: a person is told by name, a provider's item is made harmless.

Oversized text, bytes that are no UTF-8, U+0000, lone surrogates and absurd dates, at every console function and at
every webhook. Refusal and success share one body, and after a refusal the world is as it was.
"""

import copy
import importlib
import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from local import payloads
from local.billing_payloads import paddle_event, paddle_signature, privacy_form, signed_request
from local.payloads import DEMO_NUMBER_ID, Customer, message, text, whatsapp, whatsapp_message
from local.plan import PROJECT
from local.world import World
from shared.data.fields import Moment
from tests.logged import names_logged
from tests.refusals.world_state import state_of

UNBUILT = {line for line in (PROJECT / "tests" / "output" / "not_built.txt").read_text().splitlines() if line[0] != "#"}
CONSOLE = sorted(path.stem for kind in ("ai_*.py", "app_*.py") for path in (PROJECT / "functions").glob(kind))
BUILT = [name for name in CONSOLE if name not in UNBUILT]

# A body that each built console function takes; the tenant is the owner's, the conversation one of theirs.
GOOD: dict[str, dict[str, Any]] = {
    "ai_chat": {"text": "¿a qué hora abren?"},
    "ai_suggest": {"conversation": ""},
    "ai_search": {"text": "¿a qué hora abren?"},
    "app_channels": {},
    "app_media": {"media": ""},
    "app_replay": {"what": "turns", "ids": ["00000000-0000-4000-8000-000000000000"]},
    "app_handoff": {"conversation": "", "to": "person"},
    "app_send": {"conversation": "", "idempotency_key": "draft-00007", "text": "Hola."},
    "app_upload": {"name": "a.md", "text": "Hay estacionamiento."},
    "app_usage": {"from": "2026-11-01", "to": "2026-11-30"},
}


def address_of(function: str) -> str:
    prefix, _, subject = function.partition("_")
    return f"/{prefix}/{subject.replace('_', '-')}"


def models_of(function: str) -> list[type[BaseModel]]:
    """The bodies that a function's file defines."""
    module = importlib.import_module(f"functions.{function}")
    defined = [found for found in vars(module).values() if isinstance(found, type) and issubclass(found, BaseModel)]
    return [found for found in defined if found.__module__ == module.__name__]


def schemas_in(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema inside a JSON schema, itself first."""
    if isinstance(schema, dict):
        yield schema
        for inner in schema.values():
            yield from schemas_in(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from schemas_in(inner)


def test_every_built_function_has_a_good_body():
    assert GOOD.keys() == {*BUILT}, "You are here because a console function was built: give it a line in GOOD."


def endless(model: type[BaseModel]) -> list[str]:
    """What of a body may be of any length or size, or is a date that any calendar has."""
    found = [] if model.model_config.get("extra") == "forbid" else ["extra fields"]
    for schema in schemas_in(model.model_json_schema()):
        kind, said = schema.get("type"), schema.keys()
        if kind == "string" and not said & {"maxLength", "enum", "const"} and schema.get("format") != "uuid":
            found.append(f"text: {schema}")
        if kind in ("integer", "number") and not (
            said & {"maximum", "exclusiveMaximum"} and said & {"minimum", "exclusiveMinimum"}
        ):
            found.append(f"number: {schema}")
        if kind == "array" and "maxItems" not in said:
            found.append(f"list: {schema}")
    return found


@pytest.mark.parametrize("function", BUILT)
def test_everything_in_a_body_has_an_end(function):
    assert models_of(function)
    for model in models_of(function):
        assert endless(model) == [], (
            f"You are here because {model} takes what has no end: say extra='forbid', max_length, ge and le; make a "
            "date a shared.data.fields.Moment or Day."
        )


def test_what_has_no_end_is_seen():
    class Bad(BaseModel):
        text: str
        number: int = Field(ge=0)
        names: list[Literal["a"]]
        since: datetime

    class Good(BaseModel):
        model_config = ConfigDict(extra="forbid")
        text: str = Field(max_length=5)
        number: int = Field(ge=0, le=9)
        names: list[Literal["a", "b"]] = Field(max_length=3)
        since: Moment | None = None
        tenant: UUID

    assert len(endless(Bad)) == 5
    assert endless(Good) == []


def ask(world: World, function: str, raw: bytes, content_type: str = "application/json"):
    headers = {"authorization": f"Bearer {world.owner.access_token}", "content-type": content_type}
    world.forget_rates()  # many calls in one minute
    return world.call("POST", address_of(function), content=raw, headers=headers)


def good_body(world: World, function: str) -> dict[str, Any]:
    body = GOOD.get(function, {})
    named = {"conversation": world.conversation()} if "conversation" in body else {}
    if "media" in body:
        named["media"] = world.media()
    return {"tenant": world.owner.tenant} | body | named


BAD_TEXTS = {
    "U+0000": "a\x00b",
    "half a pair, high": "a\ud800",
    "half a pair, low": "\udfffa",
    "pair the wrong way round": "\udc4b\ud83d",
    "too long": "a" * 300_000,
}


def spoiled(body: dict[str, Any], bad: str) -> Iterator[dict[str, Any]]:
    """The body with the bad text in the place of each field, inside a list, as a key, and as a field of its own."""
    for field in body:
        yield body | {field: bad}
        yield body | {field: [bad]}
        yield body | {field: {"x": bad}}
    yield body | {bad: "x"}
    yield body | {"extra": bad}


@pytest.mark.parametrize("function", BUILT)
@pytest.mark.parametrize("kind", BAD_TEXTS)
def test_a_person_is_told_of_a_text_that_cannot_be_kept(world, function, kind):
    body = good_body(world, function)
    good = json.dumps(body).encode()
    assert ask(world, function, good).status_code in (200, 201)
    before = state_of(world)
    for bad in spoiled(body, BAD_TEXTS[kind]):
        with names_logged() as names:
            refused = ask(world, function, json.dumps(bad).encode())
        expected = (
            [(413, "body_too_large"), (422, "body_invalid")] if kind == "too long" else [(422, "unstorable_text")]
        )
        assert (refused.status_code, *names) in expected
        assert len(refused.content) <= 300
    assert state_of(world) == before
    assert ask(world, function, good).status_code in (200, 201)


NO_JSON = {
    "no UTF-8": b'{"text": "\xff"}',
    "a surrogate as bytes": b'{"text": "\xed\xa0\x80"}',
    "an overlong NUL": b'{"text": "\xc0\x80"}',
    "NUL as a byte": b'{"text": "\x00"}',
    "cut short": b'{"text": "a',
    "NaN": b'{"text": NaN}',
    "a number without end": b'{"text": 1e999}',
    "a tower": b"[" * 3000,
    "nothing": b"",
}


@pytest.mark.parametrize("function", BUILT)
def test_a_person_is_told_of_bytes_that_are_no_json(world, function):
    before = state_of(world)
    for kind, raw in NO_JSON.items():
        # As bytes: of a body that says it is text, the gateway itself replaces what is no UTF-8.
        with names_logged() as names:
            refused = ask(world, function, raw, "application/octet-stream")
        assert (refused.status_code, names) == (400, ["malformed_json"]), kind
    assert state_of(world) == before
    good = json.dumps(good_body(world, function)).encode()
    assert ask(world, function, good, "application/octet-stream").status_code in (200, 201)


def test_what_the_gateway_replaced_is_an_ordinary_character(world):
    raw = json.dumps(good_body(world, "app_upload")).encode().replace(b"Hay", b"\xff")
    assert ask(world, "app_upload", raw).status_code == 201
    assert world.rows("select from knowledge_chunks where body like %s", "\ufffd %") != []


# What of a signed body no column can hold, and what is kept of it: the kind of each item, and the message's words.
LONG = "w" * 5000


def changed(**change: Any) -> dict[str, Any]:
    """A message of which something is not as Meta makes it; its words are "la mala" unless they are changed."""
    return message(text("la mala")) | change


def about_account(**change: Any) -> dict[str, Any]:
    return {"id": "1", "changes": [{"value": {"metadata": {"phone_number_id": DEMO_NUMBER_ID}}, "field": "x"}]} | change


ABSURD = [1e308, -1, 10**31, True, None, [], "nan", "inf", "1e308", "0", "9" * 400, "253402300800", -62135596800]
ABSURD += ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00"]
BAD_MESSAGES: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "U+0000": (message(text("nul \x00 aquí")), "message", "nul \ufffd aquí"),
    "half a pair": (message(text("medio \ud83d aquí")), "message", "medio \ufffd aquí"),
    "U+0000 in a key": (changed(**{"a\x00": "x"}), "message", "la mala"),
    "U+0000 in the id": (changed(id="wamid.\x00"), "message", "la mala"),
    "U+0000 in the type": (changed(type="te\x00xt"), "message", "la mala"),
    "an id of 5,000 characters": (changed(id=LONG), "account", None),
    "a sender of 5,000 characters": (changed(**{"from": LONG}), "account", None),
    "a type of 5,000 characters": (changed(type=LONG, **{LONG: {}}), "message", "la mala"),
    "a text of 100,000 characters": (message(text("x" * 100_000)), "message", "x" * 65_536),
    **{f"the time {said!r:.24}": (changed(timestamp=said), "message", "la mala") for said in ABSURD},
}
BAD_ENTRIES: dict[str, dict[str, Any]] = {
    "an account of 5,000 characters": about_account(id=LONG),
    "a time of an entry of 5,000 characters": about_account(time=LONG),
    "a body that is none of Meta's": about_account(time={"a": [1, None, "\x00"]}),
}


def test_a_bad_message_is_kept_harmless_and_costs_its_siblings_nothing(world):
    for case, (bad, kind, words) in BAD_MESSAGES.items():
        world.rows("delete from inbox")
        answer = world.receive(whatsapp([message(text("la primera")), bad, message(text("la última"))]))
        assert (answer.status_code, answer.json()["kept"]) == (200, 3), case
        rows = world.rows(
            "select i.kind, m.body, i.item::text, i.occurred_at from inbox i left join messages m on m.inbox_id = i.id"
        )
        kept = [(row["kind"], row["body"]) for row in rows if row["body"] not in ("la primera", "la última")]
        assert kept == [(kind, words)], case
        # Received now and here, whatever the item says.
        assert all(abs(row["occurred_at"].timestamp() - time.time()) < 86_400 for row in rows), case
        # The raw item is whole, with U+FFFD where PostgreSQL holds no such character.
        shown = json.dumps(bad).replace("\\u0000", "\\ufffd").replace("\\ud83d", "\\ufffd")
        raw_items = [json.loads(row["item"], parse_int=float) for row in rows]
        assert json.loads(shown, parse_int=float) in raw_items, case
        assert world.receive(whatsapp([bad])).json()["kept"] == 0, case


def test_a_bad_entry_is_kept_and_costs_its_siblings_nothing(world):
    for case, entry in BAD_ENTRIES.items():
        body = whatsapp([message(text("la buena"))])
        body["entry"].append(entry)
        answer = world.receive(body)
        assert (answer.status_code, answer.json()["kept"]) == (200, 2), case
        assert world.receive(body).json()["kept"] == 0, case


def test_a_status_with_an_endless_id_still_finds_its_message_by_ours(world):
    world.receive(whatsapp_message(text("¿a qué hora abren?")))
    world.pump.drain()
    # As after a send without an answer: the provider's id is not known yet.
    world.rows("update messages set provider_id = null, status = 'queued' where author = 'assistant'")
    [outbox] = world.rows("select id from outbox")
    status = payloads.status(LONG, "delivered", payloads.DEMO_CUSTOMER, callback_data=str(outbox["id"]))
    assert world.receive(whatsapp([message(text("otra"))], [status])).json()["kept"] == 2
    assert world.rows("select provider_id, status from messages where author = 'assistant'") == [
        {"provider_id": None, "status": "delivered"}
    ]
    assert world.rows("select from inbox where item ->> 'id' = %s", LONG) != []


def test_two_phones_that_say_the_same_id_in_one_body_are_kept(world):
    phones = ("5491155550111", "5491155550112")
    for phone in phones:
        assert world.receive(whatsapp_message(text("hola"), Customer(phone=phone))).json()["kept"] == 1
    both = [message(text("otra"), Customer(phone=phone, user_id="AR.77")) for phone in phones]
    assert world.receive(whatsapp(both)).status_code == 200


characters = st.sampled_from("a1é\x00\ud800\U0001f44b")
words = st.text(characters, max_size=4) | st.sampled_from([LONG, "1" * 40, "nan", "-1", "1e308", "BR.1", "BR.2"])
scalars = (
    words
    | st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
)
FIELDS = "id from from_user_id timestamp type text body button interactive errors status recipient_id profile name"
fields = st.sampled_from([*FIELDS.split(), "biz_opaque_callback_data", "wa_id", "user_id", "code", "caption", "image"])
items = st.dictionaries(fields, scalars | st.dictionaries(fields, scalars, max_size=2), max_size=7) | scalars
changes = st.fixed_dictionaries(
    {"metadata": st.just({"phone_number_id": DEMO_NUMBER_ID})},
    optional={"messages": st.lists(items, max_size=3), "statuses": st.lists(items, max_size=2)}
    | {"contacts": st.lists(items, max_size=2)},
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(st.lists(st.tuples(words, words, changes), min_size=1, max_size=2))
def test_no_signed_body_makes_the_database_fail(world, entries):
    body = {
        "object": "whatsapp_business_account",
        "entry": [
            {"id": account, "time": moment, "changes": [{"value": copy.deepcopy(value)}]}
            for account, moment, value in entries
        ],
    }
    answer = world.receive(json.dumps(body).encode())
    assert answer.status_code == 200
    counts = answer.json()
    assert counts["kept"] + counts["duplicate"] + counts["unknown_channel"] > 0


PADDLE_TIMES = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "1e308", 1e308, -1, None, [], "NaN", "\x00"]


def test_an_event_of_paddle_with_an_absurd_time_or_text_is_kept(world):
    for said in PADDLE_TIMES:
        event = paddle_event("transaction.completed", {"id": "txn_1", "note": "a\x00\ud800"}) | {"occurred_at": said}
        event |= {"notification_id": LONG, "event_type": "a\x00" * 300, "key\x00": 1}
        raw = json.dumps(event).encode()
        headers = {"paddle-signature": paddle_signature(raw, world.plan.keys.paddle)}
        assert world.call("POST", "/webhook/paddle", content=raw, headers=headers).json() == {"kept": 1}, said
        [row] = world.rows("delete from billing_events returning occurred_at, item")
        assert abs(row["occurred_at"].timestamp() - time.time()) < 60, said
        assert row["item"]["data"]["note"] == "a\ufffd\ufffd"
        assert row["item"]["notification_id"] == LONG
        assert row["item"]["key\ufffd"] == 1


# Bytes that are no UTF-8 are no query of Mercado Pago's; one of 15,000 bytes is beyond API Gateway's limit.
QUERIES = {"%00": 200, "%F0%9F%91%8B": 200, "%F0%9F%91%8B" * 250: 200, "%ED%A0%80": 400, LONG: 431}


def test_what_mercado_pago_puts_into_the_query_never_fails(world):
    for value, status in QUERIES.items():
        query = f"type={value}&action={value}&data.id={value}"
        assert world.call("POST", f"/webhook/mercadopago?{query}", content=b"{}").status_code == status, value
        assert len(world.rows("delete from billing_events returning id")) == (status == 200), value


@pytest.mark.parametrize(
    "half", [{"rawQueryString": "type=a\ud800&action=b&id=1"}, {"headers": {"x-request-id": "\x00\ud800"}}]
)
def test_a_query_or_header_with_half_a_pair_is_refused_and_one_with_a_zero_is_kept_harmless(world, half):
    event = {
        "requestContext": {"http": {"method": "POST", "path": "/webhook/mercadopago", "sourceIp": "203.0.113.9"}},
        "rawQueryString": "type=a&action=b\x00&id=1",
        "headers": {"x-request-id": "\x00"},
        "body": "{}",
    }
    assert world.invoke("webhook_mercadopago", event | half).payload["statusCode"] == 400
    assert world.rows("select 1 from billing_events") == []
    assert world.invoke("webhook_mercadopago", event).payload["statusCode"] == 200
    [row] = world.rows("select facts, item from billing_events")
    assert row["item"] == {"type": "a", "action": "b\ufffd"}
    assert row["facts"]["request_id"] == "\ufffd"


def test_a_deletion_request_of_an_absurd_time_is_refused_by_name(world):
    def deliver(moment: object):
        form = privacy_form(signed_request("1", world.plan.keys.meta_app_secret, issued_at=moment))
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return world.call("POST", "/webhook/meta-privacy?kind=deletion", content=form, headers=headers)

    before = state_of(world)
    for issued_at in (-1, 1e308, 10**31, "nan", True, None, "9" * 40):
        with names_logged() as names:
            assert deliver(issued_at).status_code == 401, issued_at
        assert names[0] in ("payload_malformed", "issued_early"), issued_at
    assert state_of(world) == before
    assert deliver(int(time.time())).status_code == 200
