"""One attempt at a time, and what came of each."""

import pytest

from local.payloads import text, whatsapp_message
from local.world import World


def outbox(world: World) -> dict[str, object]:
    [row] = world.rows(
        "select o.state, o.error, o.attempts, m.status from outbox o join messages m on m.id = o.message_id"
    )
    return row


def ask(world: World) -> None:
    world.receive(whatsapp_message(text("¿hacen envíos?")))
    world.settle()


def test_a_reply_is_sent_delivered_and_read(world):
    ask(world)
    assert outbox(world) == {"state": "sent", "error": None, "attempts": 1, "status": "read"}
    [sent] = world.sent()
    assert sent["callback_data"] == str(world.rows("select id from outbox")[0]["id"])


@pytest.mark.parametrize(
    ("code", "state"), [(131026, "failed"), (190, "failed"), (100, "failed"), (131056, "pending"), (130429, "pending")]
)
def test_an_error_is_final_or_waits_by_its_class(world, code, state):
    world.script("meta", error=code)
    ask(world)
    row = outbox(world)
    assert (row["state"], row["error"]) == (state, str(code))
    assert world.sent() == []
    if state == "pending":
        world.rows("update outbox set next_attempt_at = now() - interval '5 minutes'")
        world.schedules.fire("cron_recover")
        world.settle()
        assert outbox(world) == {"state": "sent", "error": None, "attempts": 2, "status": "read"}
        assert len(world.sent()) == 1


def test_an_attempt_without_an_answer_is_not_repeated_and_the_status_settles_it(world):
    world.script("meta", drop=True)
    world.receive(whatsapp_message(text("¿hacen envíos?")))
    world.pump.drain()
    assert outbox(world)["state"] == "unconfirmed"
    world.settle()
    assert len(world.sent()) == 1
    row = outbox(world)
    assert (row["state"], row["status"]) == ("sent", "read")


def test_without_the_provider_the_row_waits(world):
    with world.away("meta"):
        world.receive(whatsapp_message(text("¿hacen envíos?")))
        world.pump.drain()
    assert outbox(world) == {"state": "pending", "error": "provider_unreachable", "attempts": 1, "status": "queued"}
    world.rows("update outbox set next_attempt_at = now() - interval '5 minutes'")
    world.schedules.fire("cron_recover")
    world.settle()
    assert outbox(world)["state"] == "sent"


def test_the_window_is_looked_at_when_sending(world):
    world.receive(whatsapp_message(text("¿hacen envíos?")))
    world.rows("update conversations set last_inbound_at = now() - interval '25 hours'")
    world.settle()
    assert outbox(world) == {"state": "failed", "error": "outside_window", "attempts": 1, "status": "failed"}
    assert world.sent() == []


def test_a_failed_status_after_the_send_is_final(world):
    world.script("meta", statuses="failed", status_error=131026)
    ask(world)
    row = outbox(world)
    assert (row["state"], row["status"], row["error"]) == ("failed", "failed", "131026")


@pytest.mark.parametrize("mode", ["reordered", "repeated"])
def test_statuses_out_of_order_or_twice_end_at_the_same_place(world, mode):
    world.script("meta", statuses=mode)
    ask(world)
    assert outbox(world)["status"] == "read"
    assert len(world.sent()) == 1
