"""Every uploaded file ends, whatever S3 answers, and a fault of ours deletes no file of a business."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from local.payloads import text, whatsapp_message
from local.world import World
from shared.cloud import objects
from shared.cloud.transport import Answer
from tests.logged import lines_logged
from tests.shared.safety.pictures import jpeg

MENU = b"# Menu\n\nLa docena de medialunas cuesta 4800 pesos."
PICTURE = jpeg()
# Minutes after the offer. Between two of them the schedule runs once, as it does every minute.
STEPS = (0, 3, 5, 8, 12, 16, 30, 62, 90, 300, 900, 1445, 1500)
# Of a missing object: one try when a member says that it has come, and one for each run of the schedule.
MAX_TRIES = len(STEPS) + 1

FORBIDDEN = Answer(403, b"<Error><Code>AccessDenied</Code></Error>")
BAD_CLOCK = Answer(403, b"<Error><Code>RequestTimeTooSkewed</Code></Error>")


class Died(SystemExit):
    """The worker's process ends in the middle of its work."""


def _nothing() -> Answer | None:
    return None


def _dies() -> Answer | None:
    raise Died(1)


# name: (what S3 answers to a GET, until which minute, arrives at which minute, announced, how the row ends)
CASES: dict[str, tuple[Callable[[], Answer | None], float, float | None, bool, tuple[str, str | None]]] = {
    "arrives": (_nothing, 0, 0, True, ("ready", None)),
    "arrives late": (_nothing, 0, 4, True, ("ready", None)),
    "arrives, nobody says it": (_nothing, 0, 0, False, ("ready", None)),
    "never arrives": (_nothing, 0, None, True, ("refused", "missing")),
    "never arrives, nobody says it": (_nothing, 0, None, False, ("refused", "missing")),
    "404": (lambda: Answer(404, b""), 9999, 0, True, ("refused", "missing")),
    "403": (lambda: FORBIDDEN, 9999, 0, True, ("refused", "missing")),
    "403 for ten minutes": (lambda: FORBIDDEN, 10, 0, True, ("ready", None)),
    "403, another code": (lambda: BAD_CLOCK, 9999, 0, True, ("refused", "given_up")),
    "500": (lambda: Answer(500, b""), 9999, 0, True, ("refused", "given_up")),
    "500 for a night": (lambda: Answer(500, b""), 600, 0, True, ("ready", None)),
    "worker dies": (_dies, 9999, 0, True, ("refused", "unreadable")),
    "worker dies twice": (_dies, 4, 0, True, ("ready", None)),
}


@contextmanager
def s3_answers(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], Answer | None]) -> Iterator[None]:
    """Within the block a GET of an object gets `answer()`, or S3's own where that is None."""
    asked = objects._ask

    def ask(method: str, *arguments: Any, **more: Any) -> Answer:
        return (answer() if method == "GET" else None) or asked(method, *arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr(objects, "_ask", ask)
        yield


def post(form: dict[str, Any], data: bytes) -> None:
    assert httpx.post(form["url"], data=form["fields"], files={"file": ("file", data)}).status_code == 204


def pass_time(world: World, table: str, minutes: float) -> None:
    """Make every row older, and run the schedule; a claim of a dead worker ends."""
    world.rows(
        f"update {table} set created_at = created_at - make_interval(secs => %s),"
        " claimed_until = claimed_until - make_interval(secs => %s) where state in ('awaited', 'waiting')",
        minutes * 60,
        minutes * 60,
    )
    world.schedules.fire("cron_recover")
    world.settle()
    world.forget_rates()


def kept(world: World, bucket: str) -> list[str]:
    name = world.variables["app_upload" if bucket == "knowledge" else "queue_media"][f"{bucket.upper()}_BUCKET"]
    return [entry["Key"] for entry in world.cloud.client("s3").list_objects_v2(Bucket=name).get("Contents", [])]


@pytest.mark.parametrize("case", CASES)
def test_every_file_ends(world, monkeypatch, case):
    answer, until, arrives, announced, end = CASES[case]
    call = {"tenant": world.owner.tenant}
    offered = world.call_as_owner("/app/upload", call | {"name": "menu.md", "size": len(MENU)}).json()
    before = 0.0
    with lines_logged() as lines:
        for step in STEPS:
            if arrives is not None and before <= arrives <= step:
                post(offered["form"], MENU)
                arrives = None
            if announced and step == 0:
                world.call_as_owner("/app/upload", call | {"file": offered["file"]})
            with s3_answers(monkeypatch, answer if step < until else _nothing):
                pass_time(world, "knowledge_files", step - before)
            before = step
    [row] = world.rows("select state, reason, fence, object_key from knowledge_files where name = 'menu.md'")
    assert (row["state"], row["reason"]) == end
    assert end[1] != "missing" or row["fence"] <= MAX_TRIES
    # Only a file that our own parsers died of is deleted; a form that was posted is still there otherwise.
    came, deleted = CASES[case][2] is not None, end[1] == "unreadable"
    assert kept(world, "knowledge") == ([row["object_key"]] if came and not deleted else [])
    faults = [line for line in lines if "object missing or forbidden" in line]
    assert bool(faults) == (announced and end[1] == "missing")
    assert bool([line for line in lines if '"objects_missing": 1' in line]) == bool(faults)


@pytest.mark.parametrize("case", [name for name in CASES if name not in ("arrives, nobody says it", "404")])
def test_every_outgoing_media_ends(world, monkeypatch, case):
    answer, until, arrives, announced, end = CASES[case]
    world.receive(whatsapp_message(text("¿tienen la tetera azul?")))
    world.settle()
    body = {
        "tenant": world.owner.tenant,
        "conversation": world.conversation(),
        "idempotency_key": "picture-0001",
        "media_type": "image/jpeg",
        "size": len(PICTURE),
    }
    offered = world.call_as_owner("/app/send", body).json()
    before = 0.0
    for step in STEPS:
        if arrives is not None and before <= arrives <= step:
            post(offered["form"], PICTURE)
            arrives = None
        if announced and step == 0:
            finish = {"tenant": world.owner.tenant, "media": offered["media"], "uploaded": True}
            world.call_as_owner("/app/media", finish)
        with s3_answers(monkeypatch, answer if step < until else _nothing):
            pass_time(world, "media", step - before)
        before = step
    [row] = world.rows("select state, reason, fence from media")
    # Media that waited for a day is missing for the person who sends it.
    expected = {"ready": ("kept", None), "given_up": ("refused", "missing")}.get(end[1] or end[0], end)
    assert (row["state"], row["reason"]) == expected
    assert end[1] != "missing" or row["fence"] <= MAX_TRIES
    assert len(kept(world, "media")) == (1 if CASES[case][2] is not None else 0)
    [send] = world.rows("select o.state from outbox o join messages m on m.id = o.message_id where m.author = 'person'")
    assert send["state"] == ("sent" if expected[0] == "kept" else "failed")
