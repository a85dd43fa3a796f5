"""When the assistant answers: the business's own hours, by its own clock."""

import json

import pytest

from local.payloads import text, whatsapp_message
from local.world import World

QUESTION = "¿a qué hora abren los sábados?"
ALWAYS = [{"day": day, "from": "00:00", "to": "24:00"} for day in range(1, 8)]


def keep_hours(world: World, hours: object, sentence: str | None = None) -> None:
    world.rows("update tenants set assistant_hours = %s, away_sentence = %s", json.dumps(hours), sentence)


def write(world: World) -> list[str | None]:
    world.receive(whatsapp_message(text(QUESTION)))
    world.settle()
    world.forget_rates()
    rows = world.rows("select outcome from inbox where kind = 'message' order by received_at")
    return [row["outcome"] for row in rows]


def test_outside_its_hours_the_assistant_says_so_once_and_answers_within_them(world):
    keep_hours(world, [], "Ahora estamos cerrados.")
    assert write(world) == ["outside_hours"]
    assert write(world) == ["outside_hours"] * 2
    assert [sent["text"] for sent in world.sent()] == ["Ahora estamos cerrados."]
    keep_hours(world, ALWAYS)
    assert write(world)[-1] == "replied"
    assert world.rows("select handled_by from conversations") == [{"handled_by": "assistant"}]


def test_without_a_sentence_nothing_is_said(world):
    keep_hours(world, [])
    assert write(world) == ["outside_hours"]
    assert world.sent() == []


def test_hours_are_those_of_the_business(world):
    hours = [
        {"day": 1, "from": "09:00", "to": "18:00"},
        {"day": 5, "from": "20:00", "to": "24:00"},
        {"day": 6, "from": "00:00", "to": "02:00"},
    ]
    moments = {
        # Monday in Buenos Aires, three hours behind.
        "2026-11-23T11:59:59Z": False,
        "2026-11-23T12:00:00Z": True,
        "2026-11-23T20:59:59Z": True,
        "2026-11-23T21:00:00Z": False,
        # From Friday evening to Saturday night, in two pieces.
        "2026-11-28T02:59:00Z": True,
        "2026-11-28T03:00:00Z": True,
        "2026-11-28T05:00:00Z": False,
        "2026-11-24T15:00:00Z": False,
    }
    rows = world.rows(
        "select at, private.is_within_hours(%s, 'America/Argentina/Buenos_Aires', at::timestamptz) as within"
        " from unnest(%s::text[]) at",
        json.dumps(hours),
        list(moments),
    )
    assert {row["at"]: row["within"] for row in rows} == moments


def test_hours_that_say_nothing_are_not_kept(world):
    keep_hours(world, ALWAYS)
    for hours in (
        {},
        "always",
        [1],
        [{"day": 1, "from": "09:00"}],
        [{"day": 0, "from": "09:00", "to": "18:00"}],
        [{"day": 1, "from": "9:00", "to": "18:00"}],
        [{"day": 1, "from": "18:00", "to": "09:00"}],
        [{"day": 1, "from": "09:00", "to": "24:30"}],
        [{"day": 1, "from": "09:00", "to": "18:00", "closed": True}],
        [{"day": 1, "from": "09:00", "to": "18:00"}] * 29,
    ):
        with pytest.raises(Exception, match="assistant_hours"):
            keep_hours(world, hours)
        assert world.rows("select assistant_hours from tenants") == [{"assistant_hours": ALWAYS}]


def test_hours_in_a_zone_that_nobody_knows_are_not_kept(world):
    world.rows("update tenants set time_zone = 'America/Nowhere'")
    with pytest.raises(Exception, match="America/Nowhere"):
        keep_hours(world, ALWAYS)
    world.rows("update tenants set time_zone = 'America/Lima'")
    keep_hours(world, ALWAYS)
    with pytest.raises(Exception, match="America/Nowhere"):
        world.rows("update tenants set time_zone = 'America/Nowhere'")
    assert write(world) == ["replied"]
