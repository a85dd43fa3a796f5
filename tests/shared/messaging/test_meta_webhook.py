"""Whatever a signed body holds, every item of it becomes something that can be kept."""

import json
import sys
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local import payloads
from shared.messaging.meta_webhook import items_of

NOW = 1_800_000_000.0

# Longer than any column or key, and what no clock of Meta's would say.
long = st.sampled_from(["x" * 129, "1" * 600, "\U0001f44b" * 5000])
absurd = st.sampled_from(
    [1e308, -1, 10**30, "nan", "inf", "1e308", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | long | absurd,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
MESSAGE = ["id", "from", "from_user_id", "timestamp", "type", "text", "body", "button", "interactive", "errors"]
CONTACT = ["contacts", "profile", "name", "wa_id", "user_id"]
OTHER = ["status", "recipient_id", "sender", "message", "mid", "is_echo", "code"]
names = st.sampled_from([*MESSAGE, *CONTACT, *OTHER])
record = st.dictionaries(names, anything | st.dictionaries(names, anything, max_size=3), max_size=8)
value = st.fixed_dictionaries(
    {},
    optional={
        "metadata": anything | st.just({"phone_number_id": "1"}),
        "contacts": st.lists(record, max_size=2) | anything,
        "messages": st.lists(record, max_size=3) | anything,
        "statuses": st.lists(record, max_size=3) | anything,
    },
)
entry = st.fixed_dictionaries(
    {},
    optional={
        "id": anything,
        "time": anything,
        "changes": st.lists(st.fixed_dictionaries({"value": value | anything}), max_size=2) | anything,
        "messaging": st.lists(record, max_size=2) | anything,
    },
)
body = st.fixed_dictionaries(
    {
        "object": st.sampled_from(["whatsapp_business_account", "page", "instagram", "user"]) | anything,
        "entry": st.lists(entry | anything, max_size=2) | anything,
    }
)


@given(body | anything)
def test_every_item_of_any_body_can_be_kept(hostile):
    for item in items_of(hostile, NOW):
        assert item["kind"] in {"message", "status", "account"}
        assert 0 < len(item["key"]) <= 600
        datetime.fromisoformat(item["occurred_at"])
        assert isinstance(item["item"], dict)
        json.dumps(item)
        if item["kind"] == "status":
            assert len(item["status"]["provider_id"] or "") <= 512
        if item["kind"] == "message":
            assert 0 < len(item["provider_id"]) <= 512
            assert 0 < len(item["contact"]["id"]) <= 128
            assert 0 < len(item["type"]) <= 40
            assert len(item["text"]) <= 65_536
            assert len(item["contact"]["name"]) <= 256


def test_all_entries_changes_messages_and_statuses_are_looked_at():
    messages = [payloads.message(payloads.text(str(place))) for place in range(3)]
    statuses = [payloads.status("wamid.x", "sent", "1")]
    one = payloads.whatsapp(messages, statuses)
    one["entry"] *= 2
    one["entry"][0]["changes"] *= 2
    assert [item["kind"] for item in items_of(one, NOW)] == ["message", "message", "message", "status"] * 4


def test_seconds_milliseconds_and_absurd_times_become_a_time():
    def moment(timestamp: object) -> str:
        message = payloads.message(payloads.text("x")) | {"timestamp": timestamp}
        return items_of(payloads.whatsapp([message]), NOW)[0]["occurred_at"]

    assert moment("1795450000") == moment(1795450000) == moment(1795450000000) == "2026-11-23T16:06:40+00:00"
    for no_time in ("soon", None, -1, "9" * 30, float("inf"), [1], 10**400):
        assert moment(no_time) == "2027-01-15T08:00:00+00:00"


@pytest.mark.parametrize("source", ["page", "instagram"])
def test_what_a_person_wrote_in_the_businesss_name_is_an_echo_and_what_an_app_wrote_is_not(source):
    def event(**more):
        sides = {"sender": {"id": "page"}, "recipient": {"id": "customer"}, "timestamp": 1}
        message = {"mid": "m_1", "text": "BAJA", "is_echo": True} | more
        return {"object": source, "entry": [{"id": "page", "messaging": [sides | {"message": message}]}]}

    [echo] = items_of(event(), 1.0)
    assert (echo["kind"], echo["contact"]["id"], echo["text"], echo["wish"]) == ("echo", "customer", "BAJA", None)
    [other] = items_of(event(app_id=263902037430900), 1.0, own_app="42")
    assert (other["kind"], other["text"]) == ("echo", "BAJA")
    [own] = items_of(event(app_id=42, metadata="an outbox id"), 1.0, own_app="42")
    assert (own["kind"], own["status"]) == (
        "status",
        {"provider_id": "m_1", "status": "sent", "outbox_id": "an outbox id", "error": None},
    )
    [any_app] = items_of(event(app_id=263902037430900), 1.0)
    assert any_app["kind"] == "status"


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        ({"from": "5491155550002"}, "by phone"),
        ({"from_user_id": "AR.2"}, "by id"),
        ({"from": "5491155550002", "from_user_id": "AR.1"}, "the first that fits"),
        ({"from": "5491155550009"}, ""),
    ],
)
def test_a_message_has_the_name_of_its_senders_card(sender, name):
    cards = [
        {"user_id": "AR.1", "wa_id": ["5491155550002"], "profile": {"name": "the first that fits"}},
        {"wa_id": "5491155550002", "profile": {"name": "by phone"}},
        {"user_id": "AR.2", "wa_id": 7, "profile": {"name": "by id"}},
        "no card",
    ]
    value = {"metadata": {"phone_number_id": "1"}, "contacts": cards, "messages": [{"id": "wamid.1", **sender}]}
    body = {"object": "whatsapp_business_account", "entry": [{"id": "9", "changes": [{"value": value}]}]}
    [item] = items_of(body, NOW)
    assert item["contact"]["name"] == name
    value["contacts"] = cards[1:2]
    assert items_of(body, NOW)[0]["contact"]["name"] == "by phone"


def whatsapp(count: int) -> object:
    customers = [payloads.Customer(name="Ana", phone=f"5491155{place:06}") for place in range(count)]
    return payloads.whatsapp([payloads.message(payloads.text("hola"), one) for one in customers], senders=customers)


def statuses(count: int) -> object:
    told = [{"id": f"wamid.{place}", "status": "read", "recipient_id": "1"} for place in range(count)]
    value = {"metadata": {"phone_number_id": "1"}, "contacts": [{"wa_id": "1"}] * count, "statuses": told}
    return {"object": "whatsapp_business_account", "entry": [{"id": "9", "changes": [{"value": value}]}]}


def page(count: int) -> object:
    said = [{"sender": {"id": "7"}, "message": {"mid": f"m{place}", "text": "oi"}} for place in range(count)]
    return {"object": "page", "entry": [{"id": "9", "messaging": said}]}


@pytest.mark.parametrize("body", [whatsapp, statuses, page])
def test_the_work_grows_with_the_body_and_not_faster(body):
    """Counted in steps of the interpreter: with a card beside each message it once was their square."""

    def steps(count: int) -> int:
        made, taken = body(count), 0

        def step(*_):
            nonlocal taken
            taken += 1
            return step

        sys.settrace(step)
        try:
            items = items_of(made, NOW)
        finally:
            sys.settrace(None)
        assert len(items) == count
        return taken

    assert steps(200) < 2.2 * steps(100)
