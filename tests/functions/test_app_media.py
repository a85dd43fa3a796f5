"""A member sees what a customer of theirs sent, and nobody else's; and sends files of their own."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from local import payloads
from local.payloads import instagram_text, messenger_text, text, whatsapp_message
from local.seed import open_account
from local.world import World
from tests.shared.safety.pictures import FILM, jpeg, png

PDF = b"%PDF-1.7\n%%EOF\n"


def test_media_is_shown_to_members_of_its_business_only(world):
    put = world.client.post(f"{world.plan.url('meta')}/_local/media", content=jpeg())
    world.receive(whatsapp_message(payloads.image(put.json()["id"])))
    world.settle()
    [kept] = world.rows("select id::text from media")
    wanted = {"tenant": world.owner.tenant, "media": kept["id"]}
    stranger = open_account(world.plan, "otro@negocio.example", "Otro negocio")
    before = world.call_as_owner("/app/media", wanted, stranger)
    absent = world.call_as_owner("/app/media", wanted | {"media": str(uuid4())})
    assert before.status_code == absent.status_code == 404
    assert before.json()["type"] == absent.json()["type"]
    assert world.call("POST", "/app/media", json=wanted).status_code == 401
    assert world.call_as_owner("/app/media", wanted).status_code == 200


def offer(world: World, data: bytes, **more: Any) -> Any:
    body = {
        "tenant": world.owner.tenant,
        "conversation": world.conversation(),
        "idempotency_key": "picture-0001",
        "media_type": "image/jpeg",
        "size": len(data),
    }
    return world.call_as_owner("/app/send", body | more)


def upload(world: World, offered: Any, data: bytes) -> dict[str, Any]:
    """As the console does: the file to the bucket, then the word that it is there."""
    form = offered.json()["form"]
    posted = httpx.post(form["url"], data=form["fields"], files={"file": ("file", data)})
    assert posted.status_code == 204
    done = world.call_as_owner(
        "/app/media", {"tenant": world.owner.tenant, "media": offered.json()["media"], "uploaded": True}
    )
    assert (done.status_code, done.json()["state"]) == (202, "waiting")
    world.settle()
    [row] = world.rows("select state, reason from media where id = %s", offered.json()["media"])
    return row


def sends(world: World) -> list[dict[str, Any]]:
    return world.rows(
        "select o.state, o.error, m.kind, m.status from outbox o join messages m on m.id = o.message_id"
        " where m.author = 'person'"
    )


def begun(world: World, body: Any = None) -> None:
    world.receive(body or whatsapp_message(text("¿tienen la tetera azul?")))
    world.settle()


def test_a_picture_of_a_persons_is_looked_at_handed_over_and_sent_once(world):
    begun(world)
    picture = jpeg(640, 480)
    offered = offer(world, picture, text="Esta es la tetera")
    assert offered.status_code == 201
    assert offer(world, picture, text="Esta es la tetera").json()["media"] == offered.json()["media"]
    world.settle()
    assert [(row["state"], row["status"]) for row in sends(world)] == [("pending", "queued")]
    assert upload(world, offered, picture)["state"] == "kept"
    [sent] = [one for one in world.sent() if one["type"] == "image"]
    assert sent["message"]["image"]["caption"] == "Esta es la tetera"
    assert sends(world) == [{"state": "sent", "error": None, "kind": "image", "status": "read"}]
    assert world.rows("select handled_by from conversations") == [{"handled_by": "person"}]
    shown = world.call_as_owner("/app/media", {"tenant": world.owner.tenant, "media": offered.json()["media"]})
    assert world.client.get(shown.json()["url"]).content == picture


def test_a_document_leaves_under_a_name_that_says_nothing_of_the_file(world):
    begun(world)
    assert upload(world, offer(world, PDF, media_type="application/pdf"), PDF)["state"] == "kept"
    [sent] = [one for one in world.sent() if one["type"] == "document"]
    assert sent["message"]["document"]["filename"] == "documento.pdf"
    assert "caption" not in sent["message"]["document"]


@pytest.mark.parametrize("begin", [instagram_text, messenger_text])
def test_a_page_sends_a_file_by_its_address(world, begin):
    begun(world, begin("oi", "7"))
    picture = jpeg(640, 480)
    assert upload(world, offer(world, picture), picture)["state"] == "kept"
    [sent] = [one for one in world.sent() if one["type"] == "image"]
    assert "X-Amz-Expires=300" in sent["message"]["message"]["attachment"]["payload"]["url"]
    assert [row["state"] for row in sends(world)] == ["sent"]
    refused = offer(world, picture, idempotency_key="picture-0002", text="olha")
    assert (refused.status_code, refused.json()["detail"][:5]) == (409, "text:")


def test_what_is_not_what_was_announced_is_not_sent_and_says_why(world):
    begun(world)
    data = png(2, 2)
    assert upload(world, offer(world, data), data) == {"state": "refused", "reason": "kind_differs"}
    assert sends(world) == [{"state": "failed", "error": "media_kind_differs", "kind": "image", "status": "failed"}]
    assert [one for one in world.sent() if one["type"] == "image"] == []


def test_while_meta_is_away_a_file_waits_and_is_sent_once(world):
    begun(world)
    picture = jpeg()
    offered = offer(world, picture)
    form = offered.json()["form"]
    httpx.post(form["url"], data=form["fields"], files={"file": ("file", picture)})
    finish = {"tenant": world.owner.tenant, "media": offered.json()["media"], "uploaded": True}
    assert world.call_as_owner("/app/media", finish).json()["state"] == "waiting"
    with world.away("meta"):
        world.pump.drain(max_rounds=2)
    assert world.call_as_owner("/app/media", finish).json()["state"] == "waiting"
    assert [row["state"] for row in sends(world)] == ["pending"]
    world.settle()
    assert len([one for one in world.sent() if one["type"] == "image"]) == 1


def test_what_never_came_and_what_may_not_be_sent(world):
    begun(world)
    offered = offer(world, jpeg())
    finish = {"tenant": world.owner.tenant, "media": offered.json()["media"], "uploaded": True}
    world.call_as_owner("/app/media", finish)
    world.settle()
    assert world.rows("select state, reason from media") == [{"state": "waiting", "reason": None}]
    world.rows("update media set created_at = now() - interval '16 minutes'")
    world.schedules.fire("cron_recover")
    world.settle()
    assert world.rows("select state, reason from media") == [{"state": "refused", "reason": "missing"}]
    offer(world, jpeg(), idempotency_key="picture-0002")
    world.schedules.fire("cron_recover")
    world.settle()
    assert world.rows("select state from media where state = 'awaited'") == [{"state": "awaited"}]
    world.rows("update media set created_at = now() - interval '2 hours'")
    world.schedules.fire("cron_recover")
    world.settle()
    assert world.rows("select distinct state, reason from media") == [{"state": "refused", "reason": "missing"}]
    assert {(row["state"], row["error"], row["status"]) for row in sends(world)} == {
        ("failed", "media_missing", "failed")
    }
    # Nor does it leave without its file when failed sends are done again.
    ids = [row["id"] for row in world.rows("select id::text from outbox where state = 'failed'")]
    replay = {"tenant": world.owner.tenant, "what": "sends", "ids": ids, "dry": False}
    assert world.call_as_owner("/app/replay", replay).json()["replayed"] == []
    world.rows("update conversations set last_inbound_at = now() - interval '25 hours'")
    assert offer(world, jpeg(), idempotency_key="picture-0004").json()["detail"].startswith("The customer last wrote")
    world.rows("update contacts set opted_out_at = now()")
    assert offer(world, jpeg(), idempotency_key="picture-0005").json()["detail"].startswith("The customer asked")


def test_what_is_no_file_to_be_sent_is_refused(world):
    begun(world)
    named = {"tenant": world.owner.tenant, "conversation": world.conversation(), "idempotency_key": "picture-0001"}
    assert world.call_as_owner("/app/send", named | {"media_type": "image/jpeg", "size": 10}).status_code == 201
    for body in (
        {"media_type": "image/svg+xml", "size": 10},
        {"media_type": "application/zip", "size": 10},
        {"media_type": "image/jpeg", "size": 5 * 1024 * 1024 + 1},
        {"media_type": "video/mp4", "size": 16 * 1024 * 1024 + 1},
        {"media_type": "image/jpeg", "size": 0},
        {"media_type": "image/jpeg"},
        {"size": 10},
        {"media_type": "image/jpeg", "size": 10, "text": "x" * 1025},
    ):
        assert world.call_as_owner("/app/send", named | body).status_code == 422


def test_a_film_of_twelve_megabytes_is_sent(world):
    begun(world)
    film = FILM + bytes(12 * 1024 * 1024)
    assert upload(world, offer(world, film, media_type="video/mp4"), film) == {"state": "kept", "reason": None}
    assert [row["state"] for row in sends(world)] == ["sent"]


def test_a_key_that_was_used_for_words_is_none_for_a_file(world):
    begun(world)
    words = {"tenant": world.owner.tenant, "conversation": world.conversation(), "idempotency_key": "picture-0001"}
    assert world.call_as_owner("/app/send", words | {"text": "Hola"}).status_code == 201
    assert offer(world, jpeg()).status_code == 422
    world.settle()
    assert [(row["kind"], row["state"]) for row in sends(world)] == [("text", "sent")]
