"""The simulator as an ASGI application: the part of the OpenAI API that an assistant calls, and a control plane.

POST /v1/chat/completions, POST /v1/embeddings, GET /v1/models; and under /_local/:
POST /_local/script  {"mode": "answer|search|stray|obey|leak|forward|stall|fail|garbage", "seconds": 2, "status": 500,
                      "times": 3, "endpoint": "chat|embeddings"}; without `times` until changed, without `endpoint` both
GET  /_local/calls   {"count", "calls"}: what was asked, in order (the last 1000)
POST /_local/reset   forget the calls and answer as usual
"""

import asyncio
import hmac
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.model import tokens
from local.model.chat import complete
from local.model.embedding import DIMENSIONS, as_base64, embed
from local.model.forward import forward
from local.model.refusal import Refusal
from local.payloads import Json

MODES = ("answer", "search", "stray", "obey", "leak", "forward", "stall", "fail", "garbage")
KEPT_CALLS = 1000
NOT_BUILT = ("stream", "response_format", "functions", "logprobs")  # asked for and not simulated: say so, never guess

EndpointName = Literal["chat", "embeddings"]
Respond = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Script:
    """How to answer. `times` calls from now on (None: until changed), of one endpoint or of both."""

    mode: str = "answer"
    seconds: float = 0.0
    status: int = 500
    times: int | None = None
    endpoint: EndpointName | None = None


@dataclass
class Model:
    """The state of the simulator. Everything runs in one event loop, so it needs no locks."""

    api_key: str
    script: Script = field(default_factory=Script)
    calls: deque[Json] = field(default_factory=lambda: deque(maxlen=KEPT_CALLS))
    count: int = 0

    def next_script(self, endpoint: EndpointName) -> Script:
        """The script for one call of `endpoint`; it is used up after its `times`."""
        script = self.script
        if script.endpoint not in (None, endpoint):
            return Script()
        if script.times is not None:
            left = script.times - 1
            self.script = replace(script, times=left) if left > 0 else Script()
        return script


def application(api_key: str) -> Starlette:
    """Simulate a model provider for the holder of `api_key`."""
    model = Model(api_key)

    async def calls(request: Request) -> JSONResponse:
        return JSONResponse({"count": model.count, "calls": list(model.calls)})

    async def script(request: Request) -> JSONResponse:
        try:
            model.script = _read_script(await request.json())
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse({"ok": True})

    async def reset(request: Request) -> JSONResponse:
        model.script, model.count = Script(), 0
        model.calls.clear()
        return JSONResponse({"ok": True})

    async def models(request: Request) -> JSONResponse:
        names = ("gpt-4o-mini", "text-embedding-3-small")
        listed = [{"id": name, "object": "model", "created": 0, "owned_by": "local"} for name in names]
        return JSONResponse({"object": "list", "data": listed})

    return Starlette(
        routes=[
            Route("/_local/calls", calls, methods=["GET"]),
            Route("/_local/script", script, methods=["POST"]),
            Route("/_local/reset", reset, methods=["POST"]),
            Route("/v1/models", _authorized(model, models), methods=["GET"]),
            Route("/v1/chat/completions", _authorized(model, _scripted(model, "chat", _chat)), methods=["POST"]),
            Route("/v1/embeddings", _authorized(model, _scripted(model, "embeddings", _embeddings)), methods=["POST"]),
        ]
    )


def _read_script(told: Json) -> Script:
    """Raises ValueError for an unknown word, so that a mistyped script cannot pass a test."""
    if told.get("mode") not in MODES:
        raise ValueError(f"mode is one of {', '.join(MODES)}")
    if told.get("endpoint") not in (None, "chat", "embeddings"):
        raise ValueError("endpoint is chat or embeddings")
    try:
        return Script(**told)
    except TypeError:
        raise ValueError("a script has mode, seconds, status, times, endpoint") from None


def _authorized(model: Model, respond: Respond) -> Respond:
    async def checked(request: Request) -> Response:
        try:
            scheme, _, key = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not hmac.compare_digest(key.encode(), model.api_key.encode()):
                raise Refusal(401, "Incorrect API key provided.", code="invalid_api_key")
            return await respond(request)
        except Refusal as refusal:
            return JSONResponse(refusal.body, status_code=refusal.status)

    return checked


def _scripted(model: Model, endpoint: EndpointName, respond: Callable[[Json, Script], Json]) -> Respond:
    async def follow_script(request: Request) -> Response:
        asked = await _read_object(request)
        script = model.next_script(endpoint)
        model.count += 1
        model.calls.append({"endpoint": endpoint, "mode": script.mode, "time": time.time(), "request": asked})
        if script.mode == "stall":
            await asyncio.sleep(script.seconds)
        if script.mode == "fail":
            limited = script.status == 429
            kind, code = ("requests", "rate_limit_exceeded") if limited else ("server_error", None)
            raise Refusal(script.status, "The local model was told to fail.", kind, code)
        if script.mode == "garbage":
            return Response('{"id": "chatcmpl-', media_type="application/json")
        return JSONResponse(respond(asked, script))

    return follow_script


async def _read_object(request: Request) -> Json:
    try:
        asked: Any = await request.json()
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise Refusal(400, "We could not parse the JSON body of your request.")
    if not isinstance(asked.get("model"), str):
        raise Refusal(400, "you must provide a model parameter")
    for name in NOT_BUILT:
        if asked.get(name) not in (None, False, {"type": "text"}):
            raise Refusal(501, f"The local model does not simulate `{name}`.", "server_error", "not_implemented")
    return asked


def _chat(asked: Json, script: Script) -> Json:
    return forward(asked) if script.mode == "forward" else complete(asked, mode=script.mode)


def _embeddings(asked: Json, script: Script) -> Json:
    texts = [asked["input"]] if isinstance(asked.get("input"), str) else asked.get("input")
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise Refusal(400, "'input' must be a non-empty string or a list of non-empty strings")
    dimensions = asked.get("dimensions", DIMENSIONS)
    if not isinstance(dimensions, int) or not 1 <= dimensions <= DIMENSIONS:
        raise Refusal(400, f"'dimensions' must be between 1 and {DIMENSIONS}")
    vectors = [embed(text, dimensions) for text in texts]
    encoded = [as_base64(vector) for vector in vectors] if asked.get("encoding_format") == "base64" else vectors
    used = sum(tokens.count(text) for text in texts)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": embedding} for index, embedding in enumerate(encoded)
        ],
        "model": asked["model"],
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }
