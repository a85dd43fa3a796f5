"""What customers send beside words is fetched, looked at and kept for whoever answers; or they see why not."""

from typing import Any

import pytest

from local import payloads
from local.payloads import DEMO_INSTAGRAM_ID, page_event, whatsapp_message
from local.world import World
from tests.shared.safety.pictures import jpeg, png


def put(world: World, data: bytes) -> str:
    """A media object at Meta; its id."""
    answer = world.client.post(f"{world.plan.url('meta')}/_local/media", content=data)
    return str(answer.json()["id"])


def rows(world: World) -> list[dict[str, Any]]:
    return world.rows(
        "select id::text, kind, state, reason, media_type, bytes, object_key, attempts from media order by place"
    )


def objects(world: World) -> list[str]:
    bucket = world.variables["queue_media"]["MEDIA_BUCKET"]
    return [entry["Key"] for entry in world.cloud.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]


def send(world: World, data: bytes) -> dict[str, Any]:
    world.receive(whatsapp_message(payloads.image(put(world, data), caption="mi vestido")))
    world.settle()
    [kept] = rows(world)
    return kept


def look(world: World, media: str) -> Any:
    return world.call_as_owner("/app/media", {"tenant": world.owner.tenant, "media": media})


def test_a_picture_is_kept_and_a_person_of_the_business_sees_it(world):
    picture = jpeg(640, 480)
    kept = send(world, picture)
    assert (kept["state"], kept["media_type"], kept["bytes"]) == ("kept", "image/jpeg", len(picture))
    assert objects(world) == [kept["object_key"]] == [f"{world.owner.tenant}/{kept['id']}"]
    shown = look(world, kept["id"])
    assert (shown.status_code, shown.json()["seconds"], shown.json()["media_type"]) == (200, 300, "image/jpeg")
    answer = world.client.get(shown.json()["url"])
    assert (answer.content, answer.headers["content-disposition"]) == (picture, "attachment")


def test_attachments_of_a_page_come_from_their_addresses(world):
    cdn = f"{world.plan.url('meta')}/cdn"
    attachments = [
        {"type": "image", "payload": {"url": f"{cdn}/{put(world, png())}"}},
        {"type": "image", "payload": {"url": "https://169.254.169.254/latest/meta-data/"}},
        {"type": "share", "payload": {"url": "https://example.com/"}},
        {"type": "audio", "payload": {"url": f"{cdn}/{put(world, b'MZ')}"}},
    ]
    event = {"message": {"mid": "m_1", "attachments": attachments}}
    world.receive(page_event("instagram", DEMO_INSTAGRAM_ID, "178414", event, at=1795000000))
    world.settle()
    assert [(row["kind"], row["state"], row["reason"]) for row in rows(world)] == [
        ("image", "kept", None),
        ("image", "refused", "foreign_address"),
        ("audio", "refused", "kind_differs"),
    ]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"MZ" + bytes(60), "kind_differs"),
        (png(20_000, 20_000), "too_many_pixels"),
        (jpeg() + b"<script>alert(1)</script>", "polyglot"),
    ],
)
def test_what_is_refused_is_not_kept_and_says_why(world, data, reason):
    refused = send(world, data)
    assert (refused["state"], refused["reason"], refused["object_key"]) == ("refused", reason, None)
    assert objects(world) == []
    assert look(world, refused["id"]).status_code == 404


def test_what_meta_has_no_more_is_gone(world):
    world.receive(whatsapp_message(payloads.image("1234567890")))
    world.settle()
    [row] = rows(world)
    assert (row["state"], row["reason"]) == ("refused", "gone")


def test_while_meta_is_away_it_waits_and_comes_once(world):
    world.receive(whatsapp_message(payloads.image(put(world, jpeg()))))
    with world.away("meta"):
        world.pump.drain(max_rounds=2)
    [row] = rows(world)
    assert (row["state"], row["attempts"]) == ("waiting", 0)
    world.settle()
    assert rows(world)[0]["state"] == "kept"
    assert len(objects(world)) == 1


def test_what_nobody_fetched_is_swept_up(world):
    world.receive(whatsapp_message(payloads.image(put(world, jpeg()))))
    world.cloud.reset()
    world.rows("update media set created_at = created_at - interval '5 minutes'")
    world.schedules.fire("cron_recover")
    world.settle()
    assert rows(world)[0]["state"] == "kept"


def test_a_business_without_files_left_keeps_none(world):
    world.rows(
        "insert into tenant_budgets (tenant_id, limits) values (%s, '{\"tenant.month.files\": 0}')"
        " on conflict (tenant_id) do update set limits = excluded.limits",
        world.owner.tenant,
    )
    refused = send(world, jpeg())
    assert (refused["state"], refused["reason"]) == ("refused", "over_budget")


def test_a_file_larger_than_what_is_left_is_not_taken(world):
    limits = '{"tenant.month.file_bytes": 1000}'
    world.rows(
        "insert into tenant_budgets (tenant_id, limits) values (%s, %s)"
        " on conflict (tenant_id) do update set limits = excluded.limits",
        world.owner.tenant,
        limits,
    )
    refused = send(world, jpeg() + bytes(2000))
    assert (refused["state"], refused["reason"]) == ("refused", "over_budget")
    assert objects(world) == []


def test_what_waits_for_a_day_is_given_up(world):
    world.receive(whatsapp_message(payloads.image(put(world, jpeg()))))
    world.rows("update media set created_at = created_at - interval '25 hours'")
    world.settle()
    assert [(row["state"], row["reason"]) for row in rows(world)] == [("refused", "gone")]
