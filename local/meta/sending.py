"""POST /{node}/messages: the Cloud API of WhatsApp, and the Send API of Messenger and Instagram."""

import asyncio
import functools
import secrets

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from local import payloads
from local.meta.callbacks import status_sequence
from local.meta.errors import ERRORS, OUTSIDE_MESSENGER_WINDOW, UNKNOWN_OBJECT
from local.meta.rules import Checked, Refusal, check_direct_message, check_whatsapp_message, read_object
from local.meta.state import DEMO_TEMPLATES, Graph, Misbehaviour, Number, Sent
from local.payloads import Json, StatusName


class DroppedResponse(Response):
    """Headers that promise a body, and then the connection breaks: the caller cannot know whether it worked."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})


async def post_message(graph: Graph, request: Request) -> Response:
    """Accept or refuse one message. Raises Refusal."""
    message = read_object(await request.body())
    node = request.path_params["node"]
    if node not in graph.numbers and node not in graph.accounts:
        raise Refusal(UNKNOWN_OBJECT)
    misbehaviour = graph.misbehaviours.popleft() if graph.misbehaviours else Misbehaviour()
    await asyncio.sleep(misbehaviour.stall_seconds)
    if misbehaviour.error is not None:
        raise Refusal(ERRORS[misbehaviour.error])
    if node in graph.accounts:
        await _fetch_attachment(message)
    send = _send_whatsapp if node in graph.numbers else _send_direct_message
    answer = send(graph, node, message)
    return DroppedResponse() if misbehaviour.drop else JSONResponse(answer)


async def _fetch_attachment(message: Json) -> None:
    """What a page sends Meta fetches first, as anybody. Raises Refusal."""
    url = (((message.get("message") or {}).get("attachment") or {}).get("payload") or {}).get("url")
    if url is None:
        return
    async with httpx.AsyncClient() as client:
        answer = await client.get(url)
    if answer.status_code != 200 or not answer.content:
        raise Refusal(ERRORS[100], "The attachment could not be fetched from its address.")


def _send_whatsapp(graph: Graph, number_id: str, message: Json) -> Json:
    if message.get("status") == "read" and "message_id" in message:
        return {"success": True}  # the customer's message is marked as read; a typing indicator may come with it
    number = graph.numbers[number_id]
    checked = check_whatsapp_message(message, number.display_number)
    if checked.type != "template" and not graph.windows.is_open(number_id, checked.recipient):
        raise Refusal(ERRORS[131047])
    if checked.type == "template" and checked.template not in DEMO_TEMPLATES:
        raise Refusal(ERRORS[132001])
    if checked.media is not None and checked.media not in graph.media:
        raise Refusal(ERRORS[131009], "The media is not one of this number's")
    if not graph.windows.take_turn(number_id, checked.recipient):
        raise Refusal(ERRORS[131056])
    wamid = payloads.new_wamid(checked.recipient, outgoing=True)
    _keep(graph, wamid, "whatsapp", number_id, checked, message)
    _announce_statuses(graph, wamid, number_id, number, checked)
    identity = {"user_id": checked.recipient} if checked.by_user_id else {"wa_id": checked.recipient}
    return {
        "messaging_product": "whatsapp",
        "contacts": [{"input": checked.recipient_input, **identity}],
        "messages": [{"id": wamid}],
    }


def _send_direct_message(graph: Graph, account_id: str, message: Json) -> Json:
    channel = graph.accounts[account_id]
    checked = check_direct_message(message, channel)
    if checked.type == "sender_action":
        return {"recipient_id": checked.recipient}  # typing_on, mark_seen
    if not graph.windows.is_open(account_id, checked.recipient):
        raise Refusal(OUTSIDE_MESSENGER_WINDOW)
    mid = "m_" + secrets.token_urlsafe(48)
    _keep(graph, mid, channel, account_id, checked, message)
    _announce_direct_message(graph, mid, channel, account_id, checked)
    return {"recipient_id": checked.recipient, "message_id": mid}


def _announce_direct_message(graph: Graph, mid: str, channel: str, account_id: str, checked: Checked) -> None:
    """Queue the echo, and on Messenger the delivery; both say when the person has read it."""
    kind = "page" if channel == "messenger" else "instagram"
    tell = functools.partial(payloads.page_event, kind, account_id, checked.recipient, at=graph.clock())
    said: Json = {"attachments": [{"type": checked.type}]} if checked.text is None else {"text": checked.text}
    echo = {"mid": mid, **said, "is_echo": True, "app_id": int(payloads.DEMO_APP_ID)}
    if checked.callback_data is not None:
        echo["metadata"] = checked.callback_data
    events = [tell({"message": echo}, is_own=True)]
    if channel == "messenger":
        events.append(tell({"delivery": {"mids": [mid], "watermark": int(graph.clock() * 1000)}}))
        events.append(tell({"read": {"watermark": int(graph.clock() * 1000)}}))
    else:
        events.append(tell({"read": {"mid": mid}}))
    graph.callbacks.add(events if graph.statuses != "off" else [])


def _keep(graph: Graph, message_id: str, channel: str, number_id: str, checked: Checked, message: Json) -> None:
    graph.sent.append(
        Sent(
            id=message_id,
            channel=channel,
            number_id=number_id,
            to=checked.recipient,
            type=checked.type,
            text=checked.text,
            callback_data=checked.callback_data,
            time=graph.clock(),
            message=message,
        )
    )


def _announce_statuses(graph: Graph, wamid: str, number_id: str, number: Number, checked: Checked) -> None:
    """Queue the webhooks that tell what became of the message, one status each, as Meta mostly sends them."""

    def status(name: StatusName, error: Json | None) -> Json:
        return payloads.status(
            wamid, name, checked.recipient, at=graph.clock(), callback_data=checked.callback_data, error=error
        )

    graph.callbacks.add(
        [
            payloads.whatsapp(
                statuses=[status(name, error)],
                number_id=number_id,
                waba_id=number.waba_id,
                display_number=number.display_number,
            )
            for name, error in status_sequence(graph.statuses, graph.status_error)
        ]
    )
