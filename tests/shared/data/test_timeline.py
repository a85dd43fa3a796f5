"""One query tells an owner where a message went; a stranger is told nothing."""

from local.payloads import new_wamid, text, whatsapp_message
from local.seed import as_owner, open_account
from local.world import World


def timeline(world: World, owner=None) -> list[dict[str, object]]:
    return as_owner(world.plan, owner or world.owner).from_("timeline").select("*").execute().data


def test_the_way_of_a_message_from_receipt_to_read(world):
    wamid = new_wamid("5491155550101")
    world.receive(whatsapp_message(text("¿hacen envíos?"), message_id=wamid))
    [kept] = timeline(world)
    assert (kept["provider_id"], kept["outcome"], kept["reply"]) == (wamid, None, None)
    world.settle()
    [read] = timeline(world)
    assert (read["outcome"], read["reply_status"]) == ("replied", "read")
    assert "envíos" in str(read["reply"])
    assert read["received_at"] <= read["settled_at"] <= read["sent_at"]
    stranger = open_account(world.plan, "otro@negocio.example", "Otro negocio")
    assert timeline(world, stranger) == []
