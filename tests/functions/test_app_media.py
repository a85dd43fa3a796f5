"""A member sees what a customer of theirs sent, and nobody else's."""

from uuid import uuid4

from local import payloads
from local.payloads import whatsapp_message
from local.seed import open_account
from tests.shared.safety.pictures import jpeg


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
