"""What ended without an answer is answered after all: once, seen before, and in the audit log."""

import pytest

from local.payloads import text, whatsapp_message
from local.seed import open_account
from local.world import World
from scripts import replay

QUESTION = "¿a qué hora abren los sábados?"


def given_up(world: World) -> str:
    """A message that twelve turns failed at; its id."""
    world.receive(whatsapp_message(text(QUESTION)))
    world.rows("update inbox set attempts = 20")
    world.settle()
    [row] = world.rows("select id::text, outcome from inbox where kind = 'message'")
    assert row["outcome"] == "failed"
    return str(row["id"])


def unsent(world: World) -> str:
    """A reply that Meta refused; the id of its row in the outbox."""
    world.script("meta", error=131026)
    world.receive(whatsapp_message(text(QUESTION)))
    world.settle()
    [row] = world.rows("select id::text, state from outbox")
    assert row["state"] == "failed"
    return str(row["id"])


def ask(world: World, what: str, ids: list[str], **more: object):
    return world.call_as_owner("/app/replay", {"tenant": world.owner.tenant, "what": what, "ids": ids, **more})


def recover(world: World) -> None:
    world.rows("update inbox set received_at = received_at - interval '5 minutes' where outcome is null")
    world.rows("update outbox set next_attempt_at = now() - interval '5 minutes' where state = 'pending'")
    world.schedules.fire("cron_recover")
    world.settle()


def actions(world: World) -> list[str]:
    return [row["action"] for row in world.rows("select action from audit_log where action like %s", "%.replayed")]


def test_a_message_that_was_given_up_is_answered_after_all(world):
    message = given_up(world)
    before = len(world.sent())
    assert ask(world, "turns", [message]).json() == {"dry": True, "replayed": [{"id": message, "ended": "failed"}]}
    recover(world)
    assert (len(world.sent()), actions(world)) == (before, [])
    assert ask(world, "turns", [message], dry=False).json()["replayed"] == [{"id": message, "ended": "failed"}]
    recover(world)
    assert "sábados" in world.sent()[-1]["text"]
    assert len(world.sent()) == before + 1
    assert world.rows("select outcome from inbox where kind = 'message'") == [{"outcome": "replied"}]
    assert actions(world) == ["turn.replayed"]
    assert ask(world, "turns", [message], dry=False).json()["replayed"] == []


def test_whom_a_person_took_over_stays_with_the_person(world):
    message = given_up(world)
    [row] = world.rows("select id::text from conversations")
    world.call_as_owner("/app/handoff", {"tenant": world.owner.tenant, "conversation": row["id"], "to": "person"})
    before = len(world.sent())
    ask(world, "turns", [message], dry=False)
    recover(world)
    assert world.rows("select outcome from inbox where kind = 'message'") == [{"outcome": "handed_to_person"}]
    assert len(world.sent()) == before


def test_a_reply_that_was_refused_is_sent_after_all(world):
    row = unsent(world)
    assert ask(world, "sends", [row], dry=False).json()["replayed"] == [{"id": row, "ended": "131026"}]
    recover(world)
    assert [sent["callback_data"] for sent in world.sent()] == [row]
    assert world.rows("select state, error from outbox") == [{"state": "sent", "error": None}]


@pytest.mark.parametrize("error", ["opted_out", "taken_over", "outside_window"])
def test_what_may_not_be_said_any_more_stays_unsaid(world, error):
    row = unsent(world)
    world.rows("update outbox set error = %s", error)
    assert ask(world, "sends", [row], dry=False).json()["replayed"] == []
    world.rows("update outbox set error = 'no_status'")
    assert ask(world, "sends", [row], dry=False).json()["replayed"] == [{"id": row, "ended": "no_status"}]


def test_a_stranger_replays_nothing(world):
    message = given_up(world)
    stranger = open_account(world.plan, "otro@negocio.example", "Otro negocio")
    body = {"tenant": world.owner.tenant, "what": "turns", "ids": [message], "dry": False}
    assert world.call_as_owner("/app/replay", body, stranger).status_code == 404
    assert world.call_as_owner("/app/replay", body | {"tenant": stranger.tenant}, stranger).json()["replayed"] == []
    assert world.rows("select outcome from inbox where kind = 'message'") == [{"outcome": "failed"}]


def test_an_operator_replays_a_time_and_sees_it_first(world, capsys):
    given_up(world)
    asked = [world.owner.tenant, "turns", "--from", "2026-01-01T00:00", "--channel", "whatsapp"]
    with world.as_server():
        assert replay.main(asked) == 0
        assert "1  failed\n1 turns would go back; add --go to do it.\n" in capsys.readouterr().out
        assert replay.main([*asked, "--to", "2026-01-02T00:00"]) == 1
        assert replay.main([*asked[:-1], "instagram", "--go"]) == 1
        assert actions(world) == []
        assert replay.main([*asked, "--go"]) == 0
    recover(world)
    assert world.rows("select outcome from inbox where kind = 'message'") == [{"outcome": "replied"}]
    assert actions(world) == ["turn.replayed"]


def test_an_operator_says_which(capsys):
    with pytest.raises(SystemExit):
        replay.main(["00000000-0000-4000-8000-000000000000", "sends"])
    assert "--ids, or --from" in capsys.readouterr().err
