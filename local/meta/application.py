"""The simulator as one ASGI application: the Graph API under any version prefix, and the control plane."""

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.meta.callbacks import RETRY_DELAYS, Callbacks
from local.meta.control import control_routes
from local.meta.errors import ERRORS, UNKNOWN_OBJECT, GraphError, error_body
from local.meta.nodes import (
    MEDIA_CONTENT_PATH,
    cdn_route,
    delete_node,
    get_media_content,
    get_node,
    get_subscribed_apps,
    post_media,
    subscribe,
    unsubscribe,
)
from local.meta.rules import Limits, Refusal, Windows
from local.meta.sending import post_message
from local.meta.state import DEMO_ACCOUNTS, DEMO_NUMBERS, Graph, Number

GRAPH_VERSION = re.compile(r"v\d{1,2}\.\d")
Endpoint = Callable[[Graph, Request], Awaitable[Response]]


def application(
    access_tokens: Sequence[str],
    app_secret: str,
    webhook_url: str | None,
    *,
    numbers: Mapping[str, Number] = DEMO_NUMBERS,
    accounts: Mapping[str, str] = DEMO_ACCOUNTS,
    limits: Limits | None = None,
    clock: Callable[[], float] = time.time,
    deliver_at_once: bool = True,
    retry_delays: Sequence[float] = RETRY_DELAYS,
) -> Starlette:
    """Simulate Meta for whoever holds one of `access_tokens`, the platform's, or the own token of a number.

    `webhook_url` receives the statuses, signed with `app_secret` (None: nobody does). `numbers` (phone number id) and
    `accounts` (page or Instagram id -> "messenger" or "instagram") are what exists. `clock` gives unix seconds.
    `retry_delays` are the seconds between attempts. With `deliver_at_once=False` statuses wait for POST /_local/flush.
    """
    limits = limits or Limits()
    graph = Graph(
        access_tokens=access_tokens,
        callbacks=Callbacks(webhook_url, app_secret, at_once=deliver_at_once, retry_delays=retry_delays),
        clock=clock,
        windows=Windows(limits, clock),
        numbers=dict(numbers),
        accounts=dict(accounts),
        enforces_limits=limits.enforced,
    )
    return Starlette(routes=[*control_routes(graph), cdn_route(graph), *_graph_routes(graph)])


def _graph_routes(graph: Graph) -> list[Route]:
    table: list[tuple[str, str, Endpoint]] = [
        ("GET", f"{MEDIA_CONTENT_PATH}/{{node}}", get_media_content),
        ("POST", "/{version}/{node}/messages", post_message),
        ("POST", "/{version}/{node}/media", post_media),
        ("GET", "/{version}/{node}/subscribed_apps", get_subscribed_apps),
        ("POST", "/{version}/{node}/subscribed_apps", subscribe),
        ("DELETE", "/{version}/{node}/subscribed_apps", unsubscribe),
        ("GET", "/{version}/{node}", get_node),
        ("DELETE", "/{version}/{node}", delete_node),
    ]
    routes = [Route(path, _authorized(graph, endpoint), methods=[method]) for method, path, endpoint in table]
    every_method = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return [*routes, Route("/{anything:path}", _authorized(graph, _unknown_path), methods=every_method)]


def _authorized(graph: Graph, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        try:
            _check_access(graph, request)
            answer = await endpoint(graph, request)
            answer.headers["facebook-api-version"] = graph.api_version or request.path_params.get("version", "")
            return answer
        except Refusal as refusal:
            graph.refused += 1
            return _error_response(refusal.error, refusal.reason)

    return respond


def _check_access(graph: Graph, request: Request) -> None:
    version = request.path_params.get("version")
    if version is not None and not GRAPH_VERSION.fullmatch(version):
        raise Refusal(ERRORS[2500], f"Unknown path components: {request.url.path}")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.query_params.get("access_token", "")
    if not token:
        raise Refusal(ERRORS[104])
    if not graph.knows(token):
        raise Refusal(ERRORS[190])
    if not graph.opens(token, request.path_params.get("node", "")):
        raise Refusal(UNKNOWN_OBJECT)


def _error_response(error: GraphError, reason: str | None) -> JSONResponse:
    return JSONResponse(error_body(error, reason), status_code=error.http_status)


async def _unknown_path(graph: Graph, request: Request) -> Response:
    raise Refusal(ERRORS[2500], f"Unknown path components: {request.url.path}")
