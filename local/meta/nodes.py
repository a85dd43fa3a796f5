"""The other nodes of the Graph API: phone numbers, media, and the webhook subscriptions of an account."""

import hashlib
import secrets
from email.parser import BytesParser

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.meta.errors import ERRORS, UNKNOWN_OBJECT
from local.meta.rules import Refusal
from local.meta.state import Graph
from local.payloads import DEMO_APP_ID, Json

MEDIA_LIMIT = 16 * 1024 * 1024  # bytes
MEDIA_CONTENT_PATH = "/media-content"  # the real one is a short-lived address on another host


async def get_node(graph: Graph, request: Request) -> Response:
    """GET /{id} of a phone number or of a media object. Raises Refusal."""
    node = request.path_params["node"]
    if node in graph.media:
        return _media_answer(graph, request, node)
    if node in graph.accounts:
        return JSONResponse({"id": node})
    if node not in graph.numbers:
        raise Refusal(UNKNOWN_OBJECT)
    number = graph.numbers[node]
    return JSONResponse(
        {
            "verified_name": number.verified_name,
            "display_phone_number": number.display_number,
            "quality_rating": "GREEN",
            "code_verification_status": "VERIFIED",
            "platform_type": "CLOUD_API",
            "throughput": {"level": "STANDARD"},
            "id": node,
        }
    )


def _media_answer(graph: Graph, request: Request, media_id: str) -> JSONResponse:
    mime_type, content = graph.media[media_id]
    return JSONResponse(
        {
            "messaging_product": "whatsapp",
            "url": f"{str(request.base_url).rstrip('/')}{MEDIA_CONTENT_PATH}/{media_id}",
            "mime_type": mime_type,
            "sha256": hashlib.sha256(content).hexdigest(),
            "file_size": len(content),
            "id": media_id,
        }
    )


async def get_media_content(graph: Graph, request: Request) -> Response:
    """The bytes behind the `url` of a media object; needs the access token as the real address does. Raises Refusal."""
    node = request.path_params["node"]
    if node not in graph.media:
        raise Refusal(UNKNOWN_OBJECT)
    mime_type, content = graph.media[node]
    return Response(content, media_type=mime_type)


def cdn_route(graph: Graph) -> Route:
    """GET /cdn/{media-id}: the address that a page's attachment comes with, which wants no token."""

    async def get(request: Request) -> Response:
        mime_type, content = graph.media.get(request.path_params["node"], ("", b""))
        return Response(content, media_type=mime_type) if content else Response(status_code=404)

    return Route("/cdn/{node}", get, methods=["GET"])


async def post_media(graph: Graph, request: Request) -> Response:
    """POST /{phone-number-id}/media: multipart/form-data with `file`, `type` and messaging_product. Raises Refusal."""
    if request.path_params["node"] not in graph.numbers:
        raise Refusal(UNKNOWN_OBJECT)
    header = f"Content-Type: {request.headers.get('Content-Type', '')}\r\n\r\n".encode()
    form = BytesParser().parsebytes(header + await request.body())
    if not form.is_multipart():
        raise Refusal(ERRORS[100], "The request must be multipart/form-data")
    for part in form.walk():
        if part.get_param("name", header="content-disposition") == "file":
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            return JSONResponse({"id": keep_media(graph, part.get_content_type(), content)})
    raise Refusal(ERRORS[100], "The parameter file is required.")


def keep_media(graph: Graph, mime_type: str, content: bytes) -> str:
    """Keep a media object and return its id. Raises Refusal when it is larger than 16 MiB."""
    if len(content) > MEDIA_LIMIT:
        raise Refusal(ERRORS[131053], "The media is larger than 16 MB")
    media_id = str(secrets.randbelow(10**15) + 10**15)
    graph.media[media_id] = (mime_type, content)
    return media_id


async def delete_node(graph: Graph, request: Request) -> Response:
    """DELETE /{media-id}. Raises Refusal."""
    if graph.media.pop(request.path_params["node"], None) is None:
        raise Refusal(UNKNOWN_OBJECT)
    return JSONResponse({"success": True})


async def get_subscribed_apps(graph: Graph, request: Request) -> Response:
    """GET /{waba-id}/subscribed_apps: which apps receive its webhooks. Raises Refusal."""
    account = _account(graph, request)
    app: Json = {"id": DEMO_APP_ID, "link": "https://www.facebook.com/", "name": "Local"}
    listed = app if account in graph.accounts else {"whatsapp_business_api_data": app}
    return JSONResponse({"data": [listed] if account in graph.subscribed else []})


async def subscribe(graph: Graph, request: Request) -> Response:
    """POST /{waba-id}/subscribed_apps. Raises Refusal."""
    graph.subscribed.add(_account(graph, request))
    return JSONResponse({"success": True})


async def unsubscribe(graph: Graph, request: Request) -> Response:
    """DELETE /{waba-id}/subscribed_apps. Raises Refusal."""
    graph.subscribed.discard(_account(graph, request))
    return JSONResponse({"success": True})


def _account(graph: Graph, request: Request) -> str:
    node: str = request.path_params["node"]
    if node not in {number.waba_id for number in graph.numbers.values()} | set(graph.accounts):
        raise Refusal(UNKNOWN_OBJECT)
    return node
