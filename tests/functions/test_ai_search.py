"""A member finds what the assistant knows, by its meaning and by its words."""

import pytest

from local.seed import open_account
from local.world import World

CODE = "El repuesto ZX-4471 queda en el estante 9."


def search(world: World, text: str, owner=None, **change: object):
    return world.call_as_owner("/ai/search", {"tenant": world.owner.tenant, "text": text} | change, owner)


def test_passages_are_found_with_their_files(world):
    [first, *_] = search(world, "¿a qué hora abren los sábados?").json()["passages"]
    assert "sábados" in first["text"]
    assert first["source"].endswith(".md")
    assert 0 <= first["distance"] <= 2


@pytest.mark.parametrize("question", ["ZX-4471", "repuestos zx-4471", "tem a peça ZX-4471?", "where is part zx-4471"])
def test_a_code_that_has_no_meaning_is_found_by_its_words(world, question):
    body = {"tenant": world.owner.tenant, "name": "repuestos.md", "text": CODE}
    assert world.call_as_owner("/app/upload", body).status_code == 201
    # So far away that only its words can find it.
    far = f"[{','.join(['-0.04'] * 512)}]"
    world.rows("update knowledge_chunks set embedding = %s where body = %s", far, CODE)
    assert search(world, question).json()["passages"][0]["text"] == CODE


@pytest.mark.parametrize("text", ["' | !& ():* <->", "a\\'b", "\\", "the of de la", "🙂", "x" * 2000])
def test_no_question_breaks_the_search(world, text):
    assert search(world, text).status_code == 200


def test_a_stranger_finds_nothing(world):
    stranger = open_account(world.plan, "otro@negocio.example", "Otro negocio")
    assert search(world, "sábados", stranger).status_code == 404
    assert search(world, "sábados", stranger, tenant=stranger.tenant).json() == {"passages": []}
    assert search(world, "sábados").json()["passages"] != []
