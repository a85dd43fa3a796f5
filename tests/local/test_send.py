"""A sender's message arrives signed, opens the window, and its answer is found again."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local import meta, payloads
from local import send as sender
from local.payloads import DEMO_CUSTOMER, DEMO_NUMBER_ID, Customer, Json
from local.plan import PARTS, Keys, Plan, save
from local.send import CHANNELS, Channel, NotRunningError, send, wait_for_answer
from local.serve import serve


class Assistant:
    """Stands for the whole backend: verifies the signature and answers "eco: <text>" through the Graph API."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.graph_url = ""
        self.is_silent = False
        self.bodies: list[bytes] = []

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        expected = hmac.new(self.keys.meta_app_secret.encode(), body, hashlib.sha256).hexdigest()
        if request.headers["X-Hub-Signature-256"] != f"sha256={expected}":
            return Response(status_code=401)
        self.bodies.append(body)
        if not self.is_silent:
            await run_in_threadpool(self._answer, json.loads(body))
        return Response()

    def _answer(self, body: Json) -> None:
        entry = body["entry"][0]
        if "changes" in entry:
            value = entry["changes"][0]["value"]
            if "messages" not in value:
                return  # statuses
            said = value["messages"][0]
            account, text = value["metadata"]["phone_number_id"], f"eco: {said['text']['body']}"
            reply: Json = {"messaging_product": "whatsapp", "to": said["from"], "type": "text", "text": {"body": text}}
        else:
            said = entry["messaging"][0]
            account, text = entry["id"], f"eco: {said['message']['text']}"
            reply = {"recipient": said["sender"], "message": {"text": text}}
        headers = {"Authorization": f"Bearer {self.keys.meta_access_token}"}
        httpx.post(f"{self.graph_url}/v24.0/{account}/messages", json=reply, headers=headers).raise_for_status()


@contextmanager
def running() -> Iterator[tuple[Plan, Assistant]]:
    keys = Keys()
    assistant = Assistant(keys)
    gateway = Starlette(routes=[Route("/webhook/meta", assistant.receive, methods=["POST"])])
    with serve(gateway) as gateway_url:
        graph = meta.application([keys.meta_access_token], keys.meta_app_secret, None)
        with serve(graph) as graph_url:
            assistant.graph_url = graph_url
            ports = dict.fromkeys(PARTS, 1) | {"gateway": _port(gateway_url), "meta": _port(graph_url)}
            yield Plan(ports=ports, keys=keys), assistant


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_answer_comes_back(channel: Channel) -> None:
    with running() as (plan, _):
        sent = send(plan, channel, "¿a qué hora abren?")
        assert sent.status == 200
        answer = wait_for_answer(plan, sent)
        assert answer is not None
        assert answer.text == "eco: ¿a qué hora abren?"
        assert answer.time >= int(sent.time)


def test_the_second_answer_is_not_the_first_one() -> None:
    with running() as (plan, _):
        send(plan, "whatsapp", "uno")
        answer = wait_for_answer(plan, send(plan, "whatsapp", "dos"))
        assert answer is not None
        assert answer.text == "eco: dos"


def test_somebody_elses_answer_is_not_ours() -> None:
    with running() as (plan, assistant):
        assistant.is_silent = True
        ours = send(plan, "whatsapp", "hola")
        assistant.is_silent = False
        send(plan, "whatsapp", "hola", customer=Customer(phone="5491155550102"))
        assert wait_for_answer(plan, ours, deadline=0.2) is None


def test_a_wrong_signature_is_refused_and_opens_no_window() -> None:
    with running() as (plan, assistant):
        sent = send(plan, "whatsapp", "hola", wrong_signature=True)
        assert sent.status == 401
        assert assistant.bodies == []
        reply = {"messaging_product": "whatsapp", "to": DEMO_CUSTOMER, "type": "text", "text": {"body": "hola"}}
        headers = {"Authorization": f"Bearer {plan.keys.meta_access_token}"}
        answer = httpx.post(f"{plan.url('meta')}/v24.0/{DEMO_NUMBER_ID}/messages", json=reply, headers=headers)
        assert answer.json()["error"]["code"] == 131047


def test_the_same_message_can_be_sent_again_with_its_id() -> None:
    with running() as (plan, assistant):
        wamid = payloads.new_wamid(DEMO_CUSTOMER)
        for _ in range(2):
            assert send(plan, "whatsapp", "hola", message_id=wamid).message_id == wamid
        assert all(wamid.encode() in body.replace(b"\\/", b"/") for body in assistant.bodies)


def test_a_world_that_does_not_run_is_said_in_a_sentence() -> None:
    with running() as (plan, _):
        stopped = plan
    with pytest.raises(NotRunningError, match="make dev"):
        send(stopped, "whatsapp", "hola")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plan file that the command line reads."""
    path = tmp_path / "plan.json"
    monkeypatch.setattr(sender, "PLAN_FILE", path)
    return path


def test_the_command_prints_the_conversation(command: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running() as (plan, _):
        save(plan, command)
        assert sender.main(["whatsapp", "hola", "--from", "5511987654321", "--name", "João"]) == 0
    printed = capsys.readouterr().out
    assert f"João (5511987654321) to whatsapp {DEMO_NUMBER_ID}\n          hola\n" in printed
    assert "the assistant, " in printed
    assert "eco: hola" in printed


def test_the_command_tells_a_refusal_from_silence(
    command: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "DEADLINE", 0.2)
    with running() as (plan, assistant):
        save(plan, command)
        assistant.is_silent = True
        assert sender.main(["whatsapp", "hola", "--wrong-signature"]) == 1
        assert "refused it with HTTP 401" in capsys.readouterr().out
        assert sender.main(["whatsapp", "hola"]) == 1
        assert "Nothing was sent to Ana" in capsys.readouterr().out


def test_the_command_without_a_world_says_what_to_do(command: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sender.main(["whatsapp", "hola"]) == 1
    assert capsys.readouterr().out == "The world is not running. Start it in another terminal: make dev\n"
    with running() as (plan, _):
        pass
    save(plan, command)
    assert sender.main(["whatsapp", "hola"]) == 1
    assert "make dev" in capsys.readouterr().out
