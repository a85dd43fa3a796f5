"""When the assistant keeps silent, waits, or is overtaken: each gate with the way through it."""

import time

import pytest

from local.payloads import Customer, text, whatsapp_echo, whatsapp_message
from local.world import World
from shared import clock
from shared.messaging import turn

QUESTION = "¿a qué hora abren los sábados?"


def outcomes(world: World) -> list[str | None]:
    rows = world.rows("select outcome from inbox where kind = 'message' order by occurred_at, received_at")
    return [row["outcome"] for row in rows]


def write(world: World, words: str, customer: Customer | None = None) -> None:
    world.receive(whatsapp_message(text(words), customer))
    world.settle()
    world.forget_rates()


def said(world: World) -> list[str]:
    return [message["text"] for message in world.sent()]


def conversation(world: World) -> str:
    return str(world.rows("select id from conversations order by created_at desc limit 1")[0]["id"])


def hand_over(world: World, to: str) -> None:
    body = {"tenant": world.owner.tenant, "conversation": conversation(world), "to": to}
    answer = world.call_as_owner("/app/handoff", body)
    assert (answer.status_code, answer.json()) == (200, {"handled_by": to})


@pytest.fixture
def waits(world, monkeypatch):
    """The seconds that workers waited, which pass in the database at once; three seconds of quiet for the shop."""
    waited: list[float] = []

    def pass_by(seconds: float) -> None:
        waited.append(seconds)
        world.rows("update inbox set received_at = received_at - make_interval(secs => %s)", seconds)

    monkeypatch.setattr(clock, "wait", pass_by)
    world.rows("update tenants set quiet_seconds = 3")
    return waited


def test_a_burst_is_waited_for_and_answered_once(world, waits, monkeypatch):
    pass_by = clock.wait

    def write_on(seconds: float) -> None:
        pass_by(seconds)
        # At the end of the wait: a new period of three seconds begins, however slow this machine is.
        if len(waits) <= 2:
            world.receive(whatsapp_message(text(f"y otra cosa {len(waits)}")))

    monkeypatch.setattr(clock, "wait", write_on)
    world.receive(whatsapp_message(text(QUESTION)))
    world.settle()
    assert outcomes(world) == ["merged", "merged", "replied"]
    assert len(world.sent()) == 1
    assert len(waits) >= 3
    assert all(0 < seconds <= 3 for seconds in waits)


def test_who_never_stops_writing_is_answered_after_five_periods_all_the_same(world, waits, monkeypatch):
    pass_by = clock.wait

    def write_on(seconds: float) -> None:
        pass_by(seconds / 2)
        world.receive(whatsapp_message(text("y otra cosa")))
        pass_by(seconds / 2)

    monkeypatch.setattr(clock, "wait", write_on)
    world.receive(whatsapp_message(text(QUESTION)))
    world.pump.drain(max_rounds=1)
    assert len(waits) >= 4
    assert sum(waits) <= 16
    assert outcomes(world)[0] == "merged"


def test_who_answers_on_the_phone_is_not_talked_over_until_the_console_gives_back(world):
    write(world, QUESTION)
    assert len(world.sent()) == 1
    world.receive(whatsapp_echo("yo me ocupo"))
    write(world, "gracias, ¿y los domingos?")
    assert outcomes(world)[1] == "handed_to_person"
    assert len(world.sent()) == 1
    assert [row["body"] for row in world.rows("select body from messages where author = 'person'")] == ["yo me ocupo"]
    hand_over(world, "assistant")
    write(world, QUESTION)
    assert outcomes(world)[2] == "replied"
    assert len(world.sent()) == 2


def test_an_echo_that_is_delivered_again_takes_nothing_over_again(world):
    write(world, QUESTION)
    echo = whatsapp_echo("yo me ocupo")
    world.receive(echo)
    hand_over(world, "assistant")
    assert world.receive(echo).json() == {"kept": 0, "duplicate": 1, "unknown_channel": 0, "woken": 0}
    write(world, QUESTION)
    assert outcomes(world) == ["replied", "replied"]


@pytest.mark.parametrize(
    "take_over", [lambda world: world.receive(whatsapp_echo("yo")), lambda world: hand_over(world, "person")]
)
def test_whoever_takes_over_while_the_model_thinks_wins(world, monkeypatch, take_over):
    answer = turn.answer

    def slow(*anything):
        take_over(world)
        return answer(*anything)

    monkeypatch.setattr(turn, "answer", slow)
    write(world, QUESTION)
    assert (outcomes(world), said(world)) == (["handed_to_person"], [])
    monkeypatch.setattr(turn, "answer", answer)
    hand_over(world, "assistant")
    write(world, QUESTION)
    assert outcomes(world)[1] == "replied"


def test_what_was_on_its_way_when_a_person_took_over_is_not_sent(world, monkeypatch):
    monkeypatch.setattr("functions.queue_reply.wake_sends", lambda *anything: 0)
    write(world, QUESTION)
    world.receive(whatsapp_echo("yo me ocupo"))
    world.rows("update outbox set next_attempt_at = now() - interval '5 minutes'")
    world.schedules.fire("cron_recover")
    world.settle()
    assert said(world) == []
    assert world.rows("select state, error from outbox") == [{"state": "failed", "error": "taken_over"}]


@pytest.mark.parametrize(
    ("stop", "heard", "back"),
    [
        ("BAJA", "Listo, no te escribimos más. Si quieres volver, escribe ALTA.", "alta"),
        ("¡Stop!", "Listo, no te escribimos más. Si quieres volver, escribe ALTA.", "Volver"),
        ("Sair.", "Listo, no te escribimos más. Si quieres volver, escribe ALTA.", "START"),
    ],
)
def test_who_says_stop_hears_it_once_and_nothing_more_until_they_come_back(world, stop, heard, back):
    for words in (stop, QUESTION, stop):
        write(world, words)
    assert (outcomes(world), said(world)) == (["opted_out"] * 3, [heard])
    write(world, back)
    write(world, QUESTION)
    assert outcomes(world)[3:] == ["replied", "replied"]
    assert len(world.sent()) == 3
    granted = [row["granted"] for row in world.rows("select granted from consents order by given_at")]
    assert granted == [False, True]


def test_a_return_that_was_said_before_the_stop_and_comes_after_it_is_none(world):
    at = time.time() - 60
    for words, seconds in (("BAJA", 30), ("ALTA", 0), (QUESTION, 40)):
        world.receive(whatsapp_message(text(words), at=at + seconds))
        world.settle()
    assert set(outcomes(world)) == {"opted_out"}
    world.receive(whatsapp_message(text("ALTA"), at=at + 50))
    write(world, QUESTION)
    assert outcomes(world)[-1] == "replied"


def test_where_a_person_answers_nobody_waits(world, waits):
    world.receive(whatsapp_message(text(QUESTION)))
    hand_over(world, "person")
    world.settle()
    assert (outcomes(world), waits) == (["handed_to_person"], [])


def test_who_comes_back_with_a_question_is_answered(world):
    write(world, "stop")
    for words in ("alta", QUESTION):
        world.receive(whatsapp_message(text(words)))
    world.settle()
    assert outcomes(world) == ["opted_out", "merged", "replied"]
    assert "10 a 14" in said(world)[1]


def test_who_cancels_an_order_is_a_customer(world):
    write(world, "quiero dar de baja mi pedido")
    assert outcomes(world) == ["replied"]
    assert world.rows("select opted_out_at from contacts") == [{"opted_out_at": None}]


def test_a_stop_overtakes_the_reply_that_was_being_written(world, monkeypatch):
    answer = turn.answer

    def slow(*anything):
        world.receive(whatsapp_message(text("STOP")))
        return answer(*anything)

    monkeypatch.setattr(turn, "answer", slow)
    write(world, QUESTION)
    assert outcomes(world) == ["opted_out", "opted_out"]
    assert said(world) == ["Listo, no te escribimos más. Si quieres volver, escribe ALTA."]


def test_two_machines_that_thank_each_other_are_parted(world):
    for place in range(12):
        write(world, f"¡Gracias por su mensaje! Código {place}")
    assert outcomes(world).count("looped") == 1
    assert outcomes(world)[-1] == "handed_to_person"
    assert 7 <= len(world.sent()) <= 11
    assert world.rows("select handled_by from conversations") == [{"handled_by": "person"}]


def test_a_person_who_writes_as_often_but_not_as_fast_is_answered(world):
    for _ in range(12):
        write(world, QUESTION)
        world.rows("update messages set created_at = created_at - interval '1 minute'")
    assert outcomes(world) == ["replied"] * 12


def test_a_message_that_waited_for_a_day_is_not_answered(world):
    world.receive(whatsapp_message(text(QUESTION)))
    world.rows("update conversations set last_inbound_at = now() - interval '25 hours'")
    world.settle()
    assert (outcomes(world), said(world)) == (["outside_window"], [])
    write(world, QUESTION)
    assert outcomes(world)[1] == "replied"


def test_a_message_that_fails_every_worker_ends_with_a_person(world, monkeypatch):
    answer = turn.answer

    def broken(*anything):
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(turn, "answer", broken)
    write(world, QUESTION)
    assert (outcomes(world), said(world)) == ([None], [])
    for _ in range(14):
        world.rows("update conversations set claimed_until = now() where claimed_until is not null")
        world.rows("update inbox set received_at = now() - interval '5 minutes' where outcome is null")
        world.schedules.fire("cron_recover")
        world.settle()
        world.forget_rates()
    assert outcomes(world) == ["failed"]
    assert said(world) == [world.rows("select hand_off_sentence from tenants")[0]["hand_off_sentence"]]
    monkeypatch.setattr(turn, "answer", answer)
    hand_over(world, "assistant")
    write(world, QUESTION)
    assert outcomes(world) == ["failed", "replied"]
