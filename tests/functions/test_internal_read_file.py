"""The function that reads files: what it answers, by which name it refuses, and that it never logs an address."""

import pytest

from local.world import World
from shared.cloud import functions, objects
from shared.errors import Unavailable
from shared.knowledge import reader
from shared.knowledge.refusal import RefusedFileError
from tests.logged import lines_logged
from tests.refusals.internal import INTERNAL
from tests.refusals.rows import ROWS, Invoked
from tests.shared.knowledge.documents import MENU, pdf, shown, word

TARGET = ROWS["internal_read_file"]
BY_NAME = {
    "a list": "payload_no_object",
    "payload too large": "payload_too_large",
    **dict.fromkeys(
        (
            *("another host", "instance metadata", "runtime interface", "own host as user", "another scheme"),
            *("another bucket", "the bucket itself", "line break in the address"),
        ),
        "foreign_address",
    ),
    **dict.fromkeys(
        ("unsigned address", "address of another object", "address of no object", "address that ended"), "s3_refused"
    ),
}


def put(world: World, data: bytes) -> None:
    bucket = world.variables["queue_ingest"]["KNOWLEDGE_BUCKET"]
    world.cloud.client("s3").put_object(Bucket=bucket, Key="tenant/file", Body=data)


@pytest.mark.parametrize("attack", INTERNAL)
def test_each_attack_is_refused_by_its_own_name(world, attack):
    answer = INTERNAL[attack](world, TARGET)
    assert answer is not None
    assert (answer.said, answer.body) == ("error", BY_NAME.get(attack, "body_invalid"))


@pytest.mark.parametrize(("kind", "data"), [("pdf", pdf(shown(MENU))), ("docx", word()), ("md", MENU.encode())])
def test_a_file_is_read_at_its_address(world, kind, data):
    put(world, data)
    with world.functions.seeing(world.variables["queue_ingest"]):
        assert "4800" in reader.text_of(kind, "tenant/file", 30)


def test_a_refusal_of_the_reader_has_its_reason(world):
    put(world, pdf(shown(MENU), encrypted=True))
    with world.functions.seeing(world.variables["queue_ingest"]), pytest.raises(RefusedFileError, match="encrypted"):
        reader.text_of("pdf", "tenant/file", 30)


@pytest.mark.parametrize(
    "answer",
    [
        {"errorMessage": "fault", "errorType": "RuntimeError"},
        {"text": 1},
        {"text": "a", "more": 1},
        {"refused": "because"},
        None,
        [],
    ],
)
def test_any_other_answer_is_a_failure(world, monkeypatch, answer):
    with world.functions.seeing(world.variables["queue_ingest"]):
        monkeypatch.setattr(functions, "invoke", lambda *given: {"text": "a"})
        assert reader.text_of("md", "tenant/file", 1) == "a"
        monkeypatch.setattr(functions, "invoke", lambda *given: answer)
        with pytest.raises(Unavailable, match="reader_failed"):
            reader.text_of("md", "tenant/file", 1)


def test_neither_an_address_nor_the_text_is_logged(world):
    assert isinstance(TARGET, Invoked)
    address = TARGET.address(world)
    with lines_logged() as lines:
        assert world.invoke("internal_read_file", {"kind": "md", "url": address}).payload == {
            "text": "Abrimos a las nueve."
        }
        for wrong in (address + "#", address.replace("127.0.0.1", "127.0.0.2"), address[:-1], "http://[" + address):
            world.invoke("internal_read_file", {"kind": "md", "url": wrong})
    assert len(lines) >= 5
    assert not [line for line in lines if "X-Amz" in line or "refusals/menu" in line or "nueve" in line]


@pytest.mark.parametrize(
    ("change", "own"),
    [
        (lambda url: url, True),
        (lambda url: f"{url}?a=b", True),
        (lambda url: url.replace("127.0.0.1", "127.0.0.1.evil.example"), False),
        (lambda url: url.replace("//", "//a@"), False),
        (lambda url: url.rpartition("/")[0] + "x/shop", False),
        (lambda url: url.replace("http", "https", 1), False),
        (lambda url: f"{url}#", True),
        (lambda url: f"{url}#a", False),
        (lambda url: f"{url} ", False),
        (lambda url: f"\t{url}", False),
        (lambda url: f"{url}é", False),
        (lambda url: "", False),
        (lambda url: "http://[", False),
    ],
)
def test_only_objects_of_the_bucket_have_an_own_address(world, change, own):
    with world.functions.seeing(world.variables["internal_read_file"]):
        url = objects._url("knowledge", "shop")
        assert objects.is_own_address("knowledge", change(url)) is own
