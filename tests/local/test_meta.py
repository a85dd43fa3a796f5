"""The Graph API simulator refuses what Meta refuses, and its statuses are signed and retried."""

import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local import meta, payloads
from local.payloads import DEMO_CUSTOMER, DEMO_NUMBER_ID, DEMO_PAGE_ID, DEMO_WABA_ID, Json
from local.serve import serve

TOKEN = "EAALtoken"
APP_SECRET = "app-secret"


class Clock:
    """Unix seconds that move only when told."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Receiver:
    """A webhook receiver that keeps verified bodies and answers with the given statuses first."""

    def __init__(self) -> None:
        self.bodies: list[Json] = []
        self.answers: list[int] = []
        self.arrived = threading.Event()

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        expected = "sha256=" + hmac.new(APP_SECRET.encode(), body, sha256).hexdigest()
        assert request.headers["X-Hub-Signature-256"] == expected
        if self.answers:
            return Response(status_code=self.answers.pop(0))
        self.bodies.append(await request.json())
        self.arrived.set()
        return Response()

    def statuses(self) -> list[Json]:
        values = [change["value"] for body in self.bodies for entry in body["entry"] for change in entry["changes"]]
        return [status for value in values for status in value["statuses"]]

    def names(self) -> list[str]:
        return [status["status"] for status in self.statuses()]


@contextmanager
def graph(
    receiver: Receiver | None = None, clock: Clock | None = None, deliver_at_once: bool = False
) -> Iterator[httpx.Client]:
    receiver = receiver or Receiver()
    hook = Starlette(routes=[Route("/hook", receiver.receive, methods=["POST"])])
    with serve(hook) as hook_url:
        app = meta.application(
            [TOKEN],
            APP_SECRET,
            f"{hook_url}/hook",
            clock=clock or Clock(),
            limits=meta.Limits(pair_burst=3),
            deliver_at_once=deliver_at_once,
            retry_delays=(0.0, 0.0),
        )
        with (
            serve(app) as url,
            httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10) as client,
        ):
            yield client


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with graph() as opened:
        yield opened


def _text(body: str = "hola", to: str = DEMO_CUSTOMER, **more: object) -> Json:
    return {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": body}, **more}


def _send(client: httpx.Client, message: Json, node: str = DEMO_NUMBER_ID) -> httpx.Response:
    return client.post(f"/v24.0/{node}/messages", json=message)


def _open(client: httpx.Client, contact: str = DEMO_CUSTOMER, number: str = DEMO_NUMBER_ID) -> None:
    client.post("/_local/open_window", json={"number": number, "contact": contact}).raise_for_status()


def _script(client: httpx.Client, **script: object) -> None:
    client.post("/_local/script", json=script).raise_for_status()


def _code(answer: httpx.Response) -> int:
    code: int = answer.json()["error"]["code"]
    return code


def test_an_accepted_text_has_the_official_answer_and_is_kept(client: httpx.Client) -> None:
    _open(client)
    answer = _send(client, _text(to="+54 9 11 5555-0101", biz_opaque_callback_data="outbox-1")).json()
    wamid = answer["messages"][0]["id"]
    assert wamid.startswith("wamid.")
    contact = {"input": "+54 9 11 5555-0101", "wa_id": DEMO_CUSTOMER}
    assert answer == {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": wamid}]}
    (kept,) = client.get("/_local/sent").json()["sent"]
    assert (kept["id"], kept["to"], kept["text"]) == (wamid, DEMO_CUSTOMER, "hola")
    assert (kept["callback_data"], kept["number_id"], kept["channel"]) == ("outbox-1", DEMO_NUMBER_ID, "whatsapp")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [({"Authorization": "Bearer wrong"}, 401, 190), ({"Authorization": ""}, 401, 104)],
)
def test_a_wrong_or_missing_token_is_refused(
    client: httpx.Client, headers: dict[str, str], status: int, code: int
) -> None:
    _open(client)
    answer = client.post(f"/v24.0/{DEMO_NUMBER_ID}/messages", json=_text(), headers=headers)
    assert (answer.status_code, _code(answer)) == (status, code)
    assert answer.json()["error"]["type"] == "OAuthException"
    assert answer.json()["error"]["fbtrace_id"]
    assert client.get("/_local/sent").json()["count"] == 0


def test_a_number_with_a_token_of_its_own_is_opened_by_no_other() -> None:
    own = meta.demo_numbers("EAACown")
    with serve(meta.application([TOKEN], APP_SECRET, None, numbers=own)) as url, httpx.Client(base_url=url) as client:
        client.post("/_local/number", json={"id": "42", "waba_id": "43", "display_number": "5511988887777"})
        for number in (DEMO_NUMBER_ID, "42"):
            _open(client, number=number)

        def answer(number: str, token: str) -> httpx.Response:
            headers = {"Authorization": f"Bearer {token}"}
            return client.post(f"/v24.0/{number}/messages", json=_text(), headers=headers)

        assert answer(DEMO_NUMBER_ID, "EAACown").status_code == 200
        assert answer("42", TOKEN).status_code == 200
        for number, token in ((DEMO_NUMBER_ID, TOKEN), ("42", "EAACown")):
            error = answer(number, token).json()["error"]
            assert (error["code"], error["error_subcode"]) == (100, 33)
        assert _code(answer(DEMO_NUMBER_ID, "EAACother")) == 190
        assert "EAACown" not in repr(own)
        assert client.get("/_local/sent").json()["count"] == 2


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({}, 100),
        ({"messaging_product": "whatsapp"}, 100),
        (_text(to="nobody"), 131009),
        (_text(to=payloads.DEMO_DISPLAY_NUMBER), 131021),
        (_text("x" * 4097), 100),
        (_text(""), 131008),
        (_text(type="poll"), 100),
        (_text(type="image"), 131008),
        (_text(type="template", template={"name": "hola"}), 131008),
        (_text(biz_opaque_callback_data="x" * 513), 100),
    ],
)
def test_a_malformed_message_is_refused(client: httpx.Client, message: Json, code: int) -> None:
    _open(client)
    answer = _send(client, message)
    assert (answer.status_code, _code(answer)) == (400, code)
    assert client.get("/_local/sent").json()["count"] == 0


def test_a_body_that_is_not_json_is_refused(client: httpx.Client) -> None:
    answer = client.post(f"/v24.0/{DEMO_NUMBER_ID}/messages", content=b"\xff{")
    assert (answer.status_code, _code(answer)) == (400, 100)


def test_an_unknown_number_and_an_unknown_path_are_refused(client: httpx.Client) -> None:
    error = _send(client, _text(), node="42").json()["error"]
    assert (error["code"], error["error_subcode"], error["type"]) == (100, 33, "GraphMethodException")
    assert _code(client.get("/version/42")) == 2500
    assert _code(client.get("/v24.0/a/b/c")) == 2500


def test_outside_the_window_only_a_template_passes() -> None:
    clock = Clock()
    template = {"name": "seguimos_en_contacto", "language": {"code": "es_AR"}}
    with graph(clock=clock) as client:
        refused = _send(client, _text())
        assert (refused.status_code, _code(refused)) == (400, 131047)
        assert refused.json()["error"]["error_data"]["messaging_product"] == "whatsapp"
        assert _send(client, _text(type="template", template=template)).status_code == 200
        assert _code(_send(client, _text(type="template", template=template | {"name": "nadie"}))) == 132001
        _open(client)
        clock.now += 24 * 60 * 60 - 1
        assert _send(client, _text()).status_code == 200
        clock.now += 1
        assert _code(_send(client, _text())) == 131047
        _script(client, enforce_limits=False)
        assert _send(client, _text()).status_code == 200


def test_the_window_belongs_to_one_contact_and_one_number(client: httpx.Client) -> None:
    _open(client, contact="5491155550102")
    _open(client, number="42")
    assert _code(_send(client, _text())) == 131047


def test_a_pair_has_a_burst_and_then_one_message_in_six_seconds() -> None:
    clock = Clock()
    with graph(clock=clock) as client:
        _open(client)
        _open(client, contact="5491155550102")
        assert [_send(client, _text()).status_code for _ in range(4)] == [200, 200, 200, 400]
        assert _send(client, _text(to="5491155550102")).status_code == 200
        clock.now += 5.9
        assert _code(_send(client, _text())) == 131056
        clock.now += 0.2
        assert _send(client, _text()).status_code == 200
        assert _code(_send(client, _text())) == 131056


def test_a_user_id_is_a_recipient_too(client: httpx.Client) -> None:
    user_id = "AR.13491208655302741918"
    _open(client, contact=user_id)
    message = {"messaging_product": "whatsapp", "recipient": user_id, "type": "text", "text": {"body": "hola"}}
    assert _send(client, message).json()["contacts"] == [{"input": user_id, "user_id": user_id}]


def test_marking_as_read_with_a_typing_indicator_sends_nothing(client: httpx.Client) -> None:
    typing = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.x", "typing_indicator": {}}
    assert _send(client, typing).json() == {"success": True}
    assert client.get("/_local/sent").json()["count"] == 0


def test_statuses_arrive_signed_with_the_callback_data() -> None:
    receiver = Receiver()
    with graph(receiver) as client:
        _open(client)
        wamid = _send(client, _text(biz_opaque_callback_data="outbox-1")).json()["messages"][0]["id"]
        assert client.get("/_local/idle").json()["pending"] == 3
        assert client.post("/_local/flush").json()["pending"] == 0
    assert receiver.names() == ["sent", "delivered", "read"]
    assert {(status["id"], status["recipient_id"]) for status in receiver.statuses()} == {(wamid, DEMO_CUSTOMER)}
    assert {status["biz_opaque_callback_data"] for status in receiver.statuses()} == {"outbox-1"}
    assert receiver.bodies[0]["entry"][0]["id"] == DEMO_WABA_ID


def test_statuses_are_delivered_in_the_background() -> None:
    receiver = Receiver()
    with graph(receiver, deliver_at_once=True) as client:
        _open(client)
        _send(client, _text())
        assert receiver.arrived.wait(10)
        assert client.post("/_local/flush").json()["delivered"] == 3


def test_a_status_is_retried_until_200_and_then_given_up() -> None:
    receiver = Receiver()
    with graph(receiver) as client:
        _open(client)
        _send(client, _text())
        receiver.answers = [503, 401]
        assert client.post("/_local/flush").json()["delivered"] == 3
        _send(client, _text())
        receiver.answers = [503, 503, 503]
        told = client.post("/_local/flush").json()
        assert (told["delivered"], told["abandoned"], told["last_failure"]) == (5, 1, "HTTP 503")
    assert receiver.names() == ["sent", "delivered", "read", "delivered", "read"]


@pytest.mark.parametrize(
    ("mode", "names"),
    [
        ("off", []),
        ("reordered", ["read", "delivered", "sent"]),
        ("repeated", ["sent", "sent", "delivered", "delivered", "read", "read"]),
        ("failed", ["failed"]),
    ],
)
def test_statuses_can_be_told_to_misbehave(mode: str, names: list[str]) -> None:
    receiver = Receiver()
    with graph(receiver) as client:
        _open(client)
        _script(client, statuses=mode, status_error=131026)
        _send(client, _text())
        client.post("/_local/flush")
        assert receiver.names() == names
        if mode == "failed":
            assert receiver.statuses()[0]["errors"][0]["code"] == 131026


def test_calls_can_be_told_to_fail(client: httpx.Client) -> None:
    _open(client)
    _script(client, error=130429, times=2)
    assert [_code(_send(client, _text())) for _ in range(2)] == [130429, 130429]
    assert _send(client, _text()).status_code == 200


def test_an_answer_can_be_lost_after_the_message_was_accepted(client: httpx.Client) -> None:
    _open(client)
    _script(client, drop=True)
    with pytest.raises(httpx.RemoteProtocolError):
        _send(client, _text())
    assert client.get("/_local/sent").json()["count"] == 1


def test_an_answer_can_be_late(client: httpx.Client) -> None:
    _open(client)
    _script(client, stall_seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        client.post(f"/v24.0/{DEMO_NUMBER_ID}/messages", json=_text(), timeout=0.2)


@pytest.mark.parametrize("script", [{"eror": 1}, {"error": 7}, {"statuses": "lost"}])
def test_a_mistyped_script_is_an_error(client: httpx.Client, script: Json) -> None:
    assert client.post("/_local/script", json=script).status_code == 400


def test_sent_can_be_narrowed_and_forgotten(client: httpx.Client) -> None:
    for contact in ("5491155550101", "5491155550102", "5491155550101"):
        _open(client, contact=contact)
        _send(client, _text(to=contact))
    assert len(client.get("/_local/sent?to=5491155550101").json()["sent"]) == 2
    assert len(client.get("/_local/sent?to=5491155550101&after=1").json()["sent"]) == 1
    client.post("/_local/reset")
    assert client.get("/_local/sent").json() == {"sent": [], "count": 0}
    assert client.get("/_local/idle").json()["pending"] == 0
    assert _code(_send(client, _text())) == 131047


def test_media_can_be_uploaded_read_and_deleted(client: httpx.Client) -> None:
    form = {"messaging_product": "whatsapp", "type": "image/png"}
    files = {"file": ("a.png", b"\x89PNG\r\n\x00\xff", "image/png")}
    media_id = client.post(f"/v24.0/{DEMO_NUMBER_ID}/media", data=form, files=files).json()["id"]
    told = client.get(f"/v24.0/{media_id}").json()
    assert (told["mime_type"], told["file_size"]) == ("image/png", 8)
    assert client.get(told["url"]).content == b"\x89PNG\r\n\x00\xff"
    assert _code(httpx.get(told["url"])) == 104
    assert client.delete(f"/v24.0/{media_id}").json() == {"success": True}
    assert _code(client.get(f"/v24.0/{media_id}")) == 100


def test_media_of_an_inbound_message_is_put_there_by_the_control_plane(client: httpx.Client) -> None:
    kept = client.post("/_local/media", content=b"OggS", headers={"Content-Type": "audio/ogg"}).json()
    assert client.get(f"/v24.0/{kept['id']}").json()["mime_type"] == "audio/ogg"


def test_the_webhook_subscription_of_an_account(client: httpx.Client) -> None:
    def subscribed() -> list[Json]:
        apps: list[Json] = client.get(f"/v24.0/{DEMO_WABA_ID}/subscribed_apps").json()["data"]
        return apps

    assert subscribed() == []
    assert client.post(f"/v24.0/{DEMO_WABA_ID}/subscribed_apps").json() == {"success": True}
    assert subscribed()[0]["whatsapp_business_api_data"]["id"]
    assert client.delete(f"/v24.0/{DEMO_WABA_ID}/subscribed_apps").json() == {"success": True}
    assert subscribed() == []
    assert _code(client.get("/v24.0/42/subscribed_apps")) == 100


def test_numbers_can_be_read_and_added(client: httpx.Client) -> None:
    assert client.get(f"/v24.0/{DEMO_NUMBER_ID}").json()["display_phone_number"] == payloads.DEMO_DISPLAY_NUMBER
    client.post("/_local/number", json={"id": "42", "waba_id": "43", "display_number": "5511988887777"})
    _open(client, number="42")
    assert _send(client, _text(), node="42").status_code == 200


def test_messenger_has_its_own_shape_and_window(client: httpx.Client) -> None:
    message = {"recipient": {"id": "7"}, "messaging_type": "RESPONSE", "message": {"text": "oi"}}
    refused = _send(client, message, node=DEMO_PAGE_ID).json()["error"]
    assert (refused["code"], refused["error_subcode"]) == (10, 2534022)
    _open(client, contact="7", number=DEMO_PAGE_ID)
    answer = _send(client, message, node=DEMO_PAGE_ID).json()
    assert answer["recipient_id"] == "7"
    assert answer["message_id"].startswith("m_")
    typing = {"recipient": {"id": "7"}, "sender_action": "typing_on"}
    assert _send(client, typing, node=DEMO_PAGE_ID).json() == {"recipient_id": "7"}
    assert [kept["channel"] for kept in client.get("/_local/sent").json()["sent"]] == ["messenger"]
