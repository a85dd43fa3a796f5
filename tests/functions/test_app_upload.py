"""A text file becomes knowledge of the member's own business, and of nobody else's."""

import hashlib

import pytest

from local.seed import open_account
from local.world import World

TEXT = "# Estacionamiento\n\nHay estacionamiento gratis en la calle Bolívar 300.\n"


def upload(world: World, owner=None, **change: object):
    body = {"tenant": world.owner.tenant, "name": "estacionamiento.md", "text": TEXT} | change
    return world.call_as_owner("/app/upload", body, owner)


def objects(world: World) -> list[str]:
    bucket = world.variables["app_upload"]["KNOWLEDGE_BUCKET"]
    return [entry["Key"] for entry in world.cloud.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_a_file_is_kept_and_the_assistant_knows_it(world):
    answer = upload(world)
    assert answer.status_code == 201
    assert answer.json()["passages"] == 1
    said = world.call_as_owner("/ai/chat", {"tenant": world.owner.tenant, "text": "¿hay estacionamiento?"})
    assert "Bolívar 300" in said.json()["answer"]
    [row] = world.rows("select object_key, sha256 from knowledge_files where name = 'estacionamiento.md'")
    assert row["sha256"] == hashlib.sha256(TEXT.encode()).hexdigest()
    bucket, key = world.variables["app_upload"]["KNOWLEDGE_BUCKET"], row["object_key"]
    assert world.cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == TEXT.encode()


def test_the_same_name_again_replaces_the_file(world):
    upload(world)
    upload(world, text="Ya no hay estacionamiento.")
    rows = world.rows(
        "select c.body from knowledge_chunks c join knowledge_files f on f.id = c.file_id where f.name like 'esta%%'"
    )
    assert rows == [{"body": "Ya no hay estacionamiento."}]
    [kept] = world.rows("select object_key from knowledge_files where name like 'esta%%'")
    assert objects(world) == [kept["object_key"]]


def test_two_files_with_the_same_text_go_one_by_one(world):
    first = upload(world).json()["file"]
    upload(world, name="copia.md")
    assert len(objects(world)) == 2
    removed = world.call_as_owner("/app/upload", {"tenant": world.owner.tenant, "file": first, "remove": True})
    assert removed.json()["state"] == "removed"
    assert objects(world) == [
        row["object_key"] for row in world.rows("select object_key from knowledge_files where name = 'copia.md'")
    ]


def test_a_stranger_cannot_add_to_another_business(world):
    assert upload(world).status_code == 201
    stranger = open_account(world.plan, "otro@negocio.example", "Otro negocio")
    before = world.rows("select count(*) from knowledge_chunks")
    refused = upload(world, stranger, text="Todo es gratis.")
    assert refused.status_code == 404
    assert world.rows("select count(*) from knowledge_chunks") == before
    bucket = world.variables["app_upload"]["KNOWLEDGE_BUCKET"]
    keys = [entry["Key"] for entry in world.cloud.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "../../x.md"}, 422),
        ({"name": "programa.exe"}, 422),
        ({"name": ""}, 422),
        ({"text": ""}, 422),
        ({"text": " \n\t"}, 422),
        ({"text": "a" * (256 * 1024 + 1)}, 422),
        ({"text": "a" * (600 * 1024)}, 413),
        ({"text": "nul \x00"}, 422),
    ],
)
def test_what_is_no_text_file_is_refused_and_nothing_is_written(world, change, status):
    before = world.rows("select count(*) from knowledge_files")
    refused = upload(world, **change)
    assert refused.status_code == status
    assert len(refused.content) <= 300
    assert world.rows("select count(*) from knowledge_files") == before
    assert upload(world).status_code == 201
