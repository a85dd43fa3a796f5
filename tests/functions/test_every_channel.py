"""Instagram and Messenger answer as WhatsApp does: the whole way, and where each differs."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from local import payloads
from local.payloads import DEMO_INSTAGRAM_ID, DEMO_PAGE_ID, page_event
from local.world import World
from shared import clock
from shared.messaging.turn import decide

QUESTION = "¿a qué hora abren los sábados?"
PERSON = "24000000000000007"
ACCOUNTS = {"instagram": DEMO_INSTAGRAM_ID, "messenger": DEMO_PAGE_ID}
WRITTEN = {"instagram": payloads.instagram_text, "messenger": payloads.messenger_text}


def write(world: World, channel: str, words: str) -> None:
    world.receive(WRITTEN[channel](words, PERSON))
    world.settle()
    world.forget_rates()


def happens(world: World, channel: str, event: dict[str, Any], **more: Any) -> None:
    kind = "page" if channel == "messenger" else "instagram"
    world.receive(page_event(kind, ACCOUNTS[channel], PERSON, event, at=clock.now(), **more))
    world.settle()


def outcomes(world: World) -> list[str]:
    return [
        row["outcome"] for row in world.rows("select outcome from inbox where kind = 'message' order by received_at")
    ]


def replies(world: World) -> list[dict[str, Any]]:
    return world.rows(
        "select m.status, o.state, o.error from messages m join outbox o on o.message_id = m.id order by m.created_at"
    )


@pytest.mark.parametrize("channel", ACCOUNTS)
def test_a_message_is_answered_there_and_its_way_is_told(world, channel):
    write(world, channel, QUESTION)
    [sent] = world.sent()
    assert (sent["channel"], sent["number_id"], sent["to"]) == (channel, ACCOUNTS[channel], PERSON)
    assert "sábados" in sent["text"]
    assert outcomes(world) == ["replied"]
    # Messenger tells reads by a moment, not by a message: that much is known of them there.
    expected = {"instagram": "read", "messenger": "delivered"}[channel]
    assert replies(world) == [{"status": expected, "state": "sent", "error": None}]


@pytest.mark.parametrize("channel", ACCOUNTS)
def test_our_own_echo_takes_nothing_over_and_that_of_business_suite_does(world, channel):
    write(world, channel, QUESTION)
    write(world, channel, "¿y los domingos?")
    assert outcomes(world) == ["replied", "replied"]
    echo = {"mid": "m_by_hand", "text": "Ya te atiendo", "is_echo": True, "app_id": 263902037430900}
    happens(world, channel, {"message": echo}, is_own=True)
    write(world, channel, "gracias")
    assert outcomes(world)[-1] == "handed_to_person"
    assert len(world.sent()) == 2


@pytest.mark.parametrize("channel", ACCOUNTS)
def test_a_stop_is_heard_there_too(world, channel):
    write(world, channel, "BAJA")
    write(world, channel, QUESTION)
    assert outcomes(world) == ["opted_out", "opted_out"]
    assert len(world.sent()) == 1


@pytest.mark.parametrize(
    ("channel", "known", "in_the_end"),
    [("messenger", "sent", "sent"), ("instagram", "unconfirmed", "failed")],
)
def test_an_answer_that_was_lost_is_found_by_its_echo_where_that_names_it(world, channel, known, in_the_end):
    world.script("meta", drop=True)
    write(world, channel, QUESTION)
    assert [row["state"] for row in replies(world)] == [known]
    world.rows("update outbox set dispatched_at = now() - interval '2 hours'")
    world.schedules.fire("cron_recover")
    assert [row["state"] for row in replies(world)] == [in_the_end]
    assert len(world.sent()) == 1


@pytest.mark.parametrize("channel", ACCOUNTS)
def test_a_day_later_nothing_is_said(world, channel):
    world.receive(WRITTEN[channel](QUESTION, PERSON))
    world.rows("update conversations set last_inbound_at = now() - interval '25 hours'")
    world.settle()
    assert outcomes(world) == ["outside_window"]
    assert world.sent() == []


@pytest.mark.parametrize("channel", ACCOUNTS)
def test_a_window_that_meta_says_is_closed_ends_the_reply(world, channel):
    body = WRITTEN[channel](QUESTION, PERSON)
    world.receive(payloads.encode(body))  # as bytes, so that the simulator does not hear of it
    world.settle()
    assert replies(world) == [{"status": "failed", "state": "failed", "error": "outside_window"}]


@pytest.mark.parametrize("channel", ACCOUNTS)
def test_a_button_is_words_and_a_picture_is_for_a_person(world, channel):
    happens(world, channel, {"postback": {"mid": "m_button", "title": QUESTION, "payload": "HOURS"}})
    assert "sábados" in world.sent()[0]["text"]
    picture = {"mid": "m_picture", "attachments": [{"type": "image", "payload": {"url": "https://cdn.example/x"}}]}
    happens(world, channel, {"message": picture})
    kinds = world.rows("select m.kind from messages m where m.author = 'contact' order by m.created_at")
    assert [row["kind"] for row in kinds] == ["button", "image"]
    assert outcomes(world)[-1] == "handed_to_person"


@pytest.mark.parametrize("channel", ACCOUNTS)
def test_what_another_app_answers_is_kept_and_left_alone(world, channel):
    body = WRITTEN[channel](QUESTION, PERSON)
    entry = body["entry"][0]
    entry["standby"] = entry.pop("messaging")
    answer = world.receive(body)
    world.settle()
    assert answer.json()["kept"] == 1
    assert world.rows("select kind, outcome from inbox") == [{"kind": "account", "outcome": "noted"}]
    assert world.sent() == []


def test_an_answer_is_as_long_as_instagram_takes_it(world, monkeypatch):
    # The model of the offline world answers briefly, so the reply is made longer on its way.
    talkative = "Abrimos los sábados de 9 a 18. " * 60
    monkeypatch.setattr("functions.queue_reply.decide", lambda *given: replace(decide(*given), reply=talkative))
    write(world, "instagram", QUESTION)
    [sent] = world.sent()
    assert 900 < len(sent["text"].encode()) <= 1000
    assert sent["text"].endswith("18.")


read_event = partial(page_event, "page", DEMO_PAGE_ID, PERSON)


@pytest.mark.parametrize("mids", [["m_nobodys"], [None], ["x" * 3000], "no list", {}])
def test_a_delivery_of_what_we_do_not_know_changes_nothing(world, mids):
    answer = world.receive(read_event({"delivery": {"mids": mids, "watermark": 1}}, at=clock.now()))
    assert answer.status_code == 200
    assert world.rows("select from messages") == []
