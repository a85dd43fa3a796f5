"""Whether Meta still takes a channel's token and still tells us of it: asked once a day, renewed, written down."""

import logging

import httpx
import pytest

from local.payloads import DEMO_PAGE_ID, DEMO_WABA_ID
from local.world import World


def health(world: World) -> dict[str, str]:
    return {row["kind"]: row["health"] for row in world.rows("select kind, health from channels")}


def fire(world: World) -> None:
    world.schedules.fire("cron_channels")


def later(world: World) -> None:
    world.rows("update channels set checked_at = now() - interval '25 hours' where checked_at is not null")


def subscribed(world: World, account: str) -> bool:
    address = f"{world.plan.url('meta')}/v24.0/{account}/subscribed_apps"
    answer = httpx.get(address, headers={"authorization": f"Bearer {world.plan.keys.meta_access_token}"})
    return bool(answer.json()["data"])


def unsubscribe(world: World, account: str) -> None:
    address = f"{world.plan.url('meta')}/v24.0/{account}/subscribed_apps"
    headers = {"authorization": f"Bearer {world.plan.keys.meta_access_token}"}
    httpx.delete(address, headers=headers).raise_for_status()


def test_a_subscription_that_is_gone_is_renewed_and_told(world, caplog):
    assert health(world) == {"whatsapp": "unknown", "messenger": "unknown", "instagram": "unknown"}
    fire(world)
    assert health(world) == {"whatsapp": "good", "messenger": "good", "instagram": "good"}
    assert subscribed(world, DEMO_WABA_ID)
    caplog.clear()
    later(world)
    unsubscribe(world, DEMO_PAGE_ID)
    fire(world)
    assert subscribed(world, DEMO_PAGE_ID)
    lost = [record for record in caplog.records if record.getMessage() == "channel was not subscribed"]
    assert [(record.levelno, record.channel_kind) for record in lost] == [(logging.ERROR, "messenger")]


def test_a_token_that_has_ended_is_seen_by_the_owner_and_only_then(world):
    fire(world)
    world.rows("delete from credentials")
    later(world)
    fire(world)
    assert health(world) == {"whatsapp": "token_refused", "messenger": "good", "instagram": "good"}
    shown = world.call_as_owner("/app/channels", {"tenant": world.owner.tenant}).json()["channels"]
    assert {channel["kind"]: channel["health"] for channel in shown}["whatsapp"] == "token_refused"
    actions = world.rows("select action from audit_log where action like %s order by done_at", "channel.%")
    assert [row["action"] for row in actions][-1] == "channel.token_refused"
    assert [row["action"] for row in actions].count("channel.good") == 3


def test_a_channel_is_asked_about_once_a_day(world):
    fire(world)
    before = world.rows("select id, checked_at from channels order by id")
    fire(world)
    assert world.rows("select id, checked_at from channels order by id") == before
    later(world)
    fire(world)
    assert world.rows("select id, checked_at from channels order by id") != before


def test_while_meta_is_away_nothing_is_written_down(world):
    with world.away("meta"):
        fire(world)
    assert set(health(world).values()) == {"unknown"}
    assert world.rows("select from channels where checked_at is not null") == []
    fire(world)
    assert set(health(world).values()) == {"good"}


@pytest.mark.parametrize(("version", "told"), [("v25.0", 3), ("", 0)])
def test_a_version_that_has_ended_is_told(world, caplog, version, told):
    world.script("meta", api_version=version)
    fire(world)
    ended = [record for record in caplog.records if record.getMessage() == "graph api version has ended"]
    assert len(ended) == told
    assert set(health(world).values()) == {"good"}
