"""A person takes a conversation, and gives it back."""

from local.payloads import text, whatsapp_message


def test_who_answers_is_written_down_with_who_said_so(world):
    world.receive(whatsapp_message(text("hola")))
    world.settle()
    [row] = world.rows("select id::text from conversations")
    body = {"tenant": world.owner.tenant, "conversation": row["id"]}
    for to in ("person", "assistant"):
        answer = world.call_as_owner("/app/handoff", body | {"to": to})
        assert (answer.status_code, answer.json()) == (200, {"handled_by": to})
        assert world.rows("select handled_by from conversations") == [{"handled_by": to}]
    assert world.call_as_owner("/app/handoff", body | {"to": "nobody"}).status_code == 422
    actions = [row["action"] for row in world.rows("select action from audit_log order by done_at")]
    assert actions[-2:] == ["conversation.taken", "conversation.given_back"]
    absent = body | {"conversation": "00000000-0000-4000-8000-000000000000", "to": "person"}
    assert world.call_as_owner("/app/handoff", absent).status_code == 404
