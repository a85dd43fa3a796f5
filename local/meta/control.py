"""The control plane of the simulator, under /_local/: what was sent, what happens next, and when it is quiet.

GET  /_local/sent           accepted messages in order; `?to=` and `?after=N` (skip the first N) narrow them
POST /_local/script         the next calls: {"times": 2, "error": 131056 | "stall_seconds": 1.5 | "drop": true}.
                            until changed: {"statuses": "off|reordered|repeated|failed|normal", "status_error": 131026},
                            {"enforce_limits": false}, {"api_version": "v25.0"}
POST /_local/open_window    {"number", "contact"}: the contact has just written to the number
POST /_local/media          a raw body with its Content-Type becomes a media object: {"id"}
POST /_local/number         {"id", "waba_id", "display_number"}: one more business number, for the platform's tokens
GET  /_local/idle           {"pending", "delivered", "abandoned", "last_failure", "refused"}
POST /_local/flush          deliver the waiting webhooks now; answers as /_local/idle does when none waits
POST /_local/reset          forget everything but the numbers
"""

from dataclasses import asdict, replace

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.meta.callbacks import STATUS_MODES
from local.meta.errors import ERRORS
from local.meta.nodes import keep_media
from local.meta.state import Graph, Misbehaviour, Number
from local.payloads import Json


def control_routes(graph: Graph) -> list[Route]:
    """The routes of the control plane."""

    async def sent(request: Request) -> JSONResponse:
        recipient = request.query_params.get("to")
        first = int(request.query_params.get("after", "0"))
        kept = [asdict(message) for message in graph.sent[first:] if recipient in (None, message.to)]
        return JSONResponse({"sent": kept, "count": len(graph.sent)})

    async def script(request: Request) -> JSONResponse:
        try:
            _apply(graph, await request.json())
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse({"ok": True})

    async def open_window(request: Request) -> JSONResponse:
        told = await request.json()
        graph.windows.open(told["number"], told["contact"])
        return JSONResponse({"ok": True})

    async def media(request: Request) -> JSONResponse:
        mime_type = request.headers.get("Content-Type", "application/octet-stream")
        return JSONResponse({"id": keep_media(graph, mime_type, await request.body())})

    async def number(request: Request) -> JSONResponse:
        told = await request.json()
        graph.numbers[told["id"]] = Number(waba_id=told["waba_id"], display_number=told["display_number"])
        return JSONResponse({"ok": True})

    async def idle(request: Request) -> JSONResponse:
        return JSONResponse(_quietness(graph))

    async def flush(request: Request) -> JSONResponse:
        await graph.callbacks.flush()
        return JSONResponse(_quietness(graph))

    async def reset(request: Request) -> JSONResponse:
        await _reset(graph)
        return JSONResponse({"ok": True})

    return [
        Route("/_local/sent", sent, methods=["GET"]),
        Route("/_local/script", script, methods=["POST"]),
        Route("/_local/open_window", open_window, methods=["POST"]),
        Route("/_local/media", media, methods=["POST"]),
        Route("/_local/number", number, methods=["POST"]),
        Route("/_local/idle", idle, methods=["GET"]),
        Route("/_local/flush", flush, methods=["POST"]),
        Route("/_local/reset", reset, methods=["POST"]),
    ]


def _apply(graph: Graph, script: Json) -> None:
    """Raises ValueError for an unknown word, so that a mistyped script cannot pass a test."""
    known = {"times", "error", "stall_seconds", "drop", "statuses", "status_error", "enforce_limits", "api_version"}
    if unknown := set(script) - known:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; a script has {', '.join(sorted(known))}")
    for name in ("error", "status_error"):
        if script.get(name) is not None and script[name] not in ERRORS:
            raise ValueError(f"{name} {script[name]} is not in the table of local/meta/errors.py")
    if script.get("statuses", "normal") not in STATUS_MODES:
        raise ValueError(f"statuses is one of {', '.join(STATUS_MODES)}")
    graph.statuses = script.get("statuses", graph.statuses)
    graph.status_error = script.get("status_error", graph.status_error)
    graph.api_version = script.get("api_version", graph.api_version)
    if "enforce_limits" in script:
        graph.windows.limits = replace(graph.windows.limits, enforced=bool(script["enforce_limits"]))
    if {"error", "stall_seconds", "drop"} & set(script):
        step = Misbehaviour(script.get("error"), float(script.get("stall_seconds", 0)), bool(script.get("drop")))
        graph.misbehaviours.extend([step] * int(script.get("times", 1)))


def _quietness(graph: Graph) -> Json:
    callbacks = graph.callbacks
    return {
        "pending": callbacks.pending,
        "delivered": callbacks.delivered,
        "abandoned": callbacks.abandoned,
        "last_failure": callbacks.last_failure,
        "refused": graph.refused,
    }


async def _reset(graph: Graph) -> None:
    await graph.callbacks.reset()
    graph.sent.clear()
    graph.misbehaviours.clear()
    graph.windows.forget()
    graph.windows.limits = replace(graph.windows.limits, enforced=graph.enforces_limits)
    graph.subscribed.clear()
    graph.media.clear()
    graph.statuses, graph.status_error, graph.refused, graph.api_version = "normal", 131026, 0, ""
