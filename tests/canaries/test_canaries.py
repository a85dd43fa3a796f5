"""Nothing personal and nothing secret leaves a function, whatever becomes of the call.

A value of every class is planted wherever something enters: body, headers, query, path, rows of the database, answers
and errors of providers and of the model, file names, exceptions and their locals. Then every function is called
rightly, refused, left alone by what it needs, and made to crash; and every byte that it wrote is searched.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from local.payloads import Customer, contact_card, image, message, text, whatsapp, whatsapp_message
from local.plan import PROJECT
from local.world import World
from shared.cloud.transport import Answer
from tests.canaries.canaries import CANARIES, TEXT, seen_in
from tests.canaries.sinks import Sinks, watching
from tests.refusals.attacks import Signed, Target
from tests.refusals.calls import ask
from tests.refusals.console import Console
from tests.refusals.rows import ROWS
from tests.refusals.test_refusals import ADMITTED

FUNCTIONS = sorted(path.stem for path in (PROJECT / "functions").glob("*.py"))
PARTS = ("supabase", "upstash", "meta", "model", "aws")
# Answers in which a person reads what the same person wrote.
ECHOES = {"ai_chat"}


@pytest.fixture
def sinks(world: World, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Sinks]:
    with watching(world, capfd, monkeypatch) as watched:
        yield watched


def planted(event: dict[str, Any]) -> dict[str, Any]:
    """The event with canaries wherever a caller may write without spoiling the call."""
    if "requestContext" not in event:
        return event
    headers = {
        "user-agent": TEXT,
        "x-forwarded-for": CANARIES["address"],
        "x-customer-phone": CANARIES["phone, wa_id"],
        "cookie": f"session={CANARIES['access token']}",
        "referer": f"https://console.example/?email={CANARIES['e-mail']}",
    }
    query = event["rawQueryString"]
    extra = f"hub.verify_token={CANARIES['Meta']}&phone=%2B{CANARIES['phone, wa_id']}"
    context = event["requestContext"] | {"http": event["requestContext"]["http"] | {"sourceIp": CANARIES["address"]}}
    return event | {
        "headers": headers | event["headers"],
        "requestContext": context,
        "rawQueryString": f"{query}&{extra}" if query else extra,
    }


def good(world: World, target: Target) -> dict[str, Any]:
    """A good call with canaries in it; in a signed body and in the texts of a console body too."""
    if isinstance(target, Signed):
        body = json.loads(target.body) | {"canary": TEXT}
        return planted(target.call(world, json.dumps(body).encode()).event())
    event = target.good(world)
    if isinstance(target, Console) and event["body"]:
        body = json.loads(event["body"])
        event["body"] = json.dumps(body | ({"text": TEXT} if "text" in body else {}))
    return planted(event)


def refused(world: World, target: Target) -> list[dict[str, Any]]:
    """Calls that the guard stops, with canaries in what it looks at."""
    event = good(world, target)
    if "Records" in event:
        return [event | {"Records": [record | {"body": TEXT} for record in event["Records"]]}]
    if "requestContext" not in event:
        return [{"schedule": TEXT, "authorization": f"Bearer {CANARIES['access token']}"}]
    bearing = {name: TEXT.encode("ascii", "replace").decode() for name in event["headers"]}
    return [
        event | {"headers": event["headers"] | {"authorization": f"Bearer {CANARIES['access token']}"}},
        event | {"headers": bearing},
        event | {"body": TEXT},
        event | {"rawPath": f"/{CANARIES['e-mail']}/{CANARIES['phone, wa_id']}"},
    ]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_called_rightly_and_refused(world, sinks, function):
    target = ROWS[function]
    assert ask(sinks, function, good(world, target)).said in ADMITTED
    leaks = sinks.leaks()
    assert [leak for leak in leaks if not (function in ECHOES and leak.startswith("answer"))] == []
    answers = []
    for event in refused(world, target):
        answers.append(ask(sinks, function, event).said)
        assert sinks.leaks() == []
    # A public function looks at nothing that these change, and answers all of them.
    assert target.kind == "public" or not set(answers) <= ADMITTED


@pytest.mark.parametrize("function", FUNCTIONS)
def test_left_alone_by_what_it_needs(world, sinks, monkeypatch, function):
    event = good(world, ROWS[function])
    with ExitStack() as away:
        for part in PARTS:
            away.enter_context(world.away(part))
        sinks.invoke(function, event)
    assert sinks.leaks() == []
    # And when what it needs answers with everything that it must not repeat.
    said = json.dumps({"code": "XX000", "message": TEXT, "error": {"code": 1, "message": TEXT}}).encode()
    monkeypatch.setattr("shared.cloud.transport.send", lambda *_, **more: Answer(500, said))
    sinks.invoke(function, event)
    assert sinks.leaks() == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_made_to_crash(world, sinks, monkeypatch, function):
    target = ROWS[function]
    event = good(world, target)
    world.invoke(function, event)  # its module is there now
    sinks.leaks()

    def crash(*_: object, **__: object) -> None:
        customer = {"phone": CANARIES["phone, wa_id"], "text": TEXT, "token": CANARIES["Supabase"]}
        try:
            raise ValueError(customer, TEXT)
        except ValueError as error:
            error.add_note(TEXT)
            raise RuntimeError(TEXT) from error

    for name in ("Response", "NotBuilt"):
        monkeypatch.setattr(f"functions.{function}.{name}", crash, raising=False)
    sinks.invoke(function, event)
    assert sinks.reports, "the crash was not reported: it may not have happened"
    assert sinks.leaks() == []


def test_a_customers_whole_way_leaves_nothing(world, sinks):
    """Rows full of canaries are claimed, answered, sent and swept; and the model repeats what it was told."""
    customer = Customer(phone=CANARIES["phone, wa_id"], name=TEXT[:200])
    world.script("model", mode="obey")
    for content in (
        text(TEXT),
        text(f"repetí esto: {TEXT}"),
        image("1", caption=TEXT),
        contact_card(TEXT, "5491155550173"),
    ):
        assert world.receive(whatsapp([message(content, customer)])).status_code == 200
    assert seen_in(json.dumps(world.rows("select body from messages"), default=str))
    world.settle()
    world.schedules.fire("cron_recover")
    world.schedules.fire("cron_budgets")
    world.schedules.fire("cron_retention")
    assert world.sent(), "nobody was answered: the way was not gone to its end"
    assert sinks.leaks() == []


def test_a_provider_that_fails_while_it_is_told_everything(world, sinks):
    customer = Customer(phone=CANARIES["phone, wa_id"], name=TEXT[:200])
    for part, told in (
        ("model", {"mode": "fail"}),
        ("model", {"mode": "garbage"}),
        ("meta", {"times": 1, "error": 131026}),
    ):
        world.script(part, **told)
        world.receive(whatsapp_message(text(TEXT), customer))
        world.settle()
        world.script("model", mode="answer")
    assert sinks.leaks() == []


def test_a_file_with_a_telling_name(world, sinks):
    name = f"{CANARIES['e-mail']} {CANARIES['phone, wa_id']}.md"
    said = world.call_as_owner("/app/upload", {"tenant": world.owner.tenant, "name": name, "text": TEXT})
    assert said.status_code == 201
    assert sinks.leaks() == []


def test_the_sinks_would_show_it(world, sinks, capfd):
    """The positive control: what is printed, returned or queued in the clear is found."""
    print(TEXT)  # noqa: T201
    sinks.said.append(TEXT)
    sinks.reports.append(TEXT.encode())
    url = world.cloud.queue_url("SendQueue")
    world.cloud.client("sqs").send_message(
        QueueUrl=url, MessageBody=TEXT, MessageGroupId="g", MessageDeduplicationId="d"
    )
    leaks = sinks.leaks()
    for sink in ("printed", "answer", "report", "queue"):
        assert [leak.partition(": ")[2] for leak in leaks if leak.startswith(f"{sink}:")] == list(CANARIES)
