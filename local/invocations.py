"""Lambda's Invoke API for the functions of the template, in place of moto's, which would start containers.

Reference: AWS Lambda API Reference, Invoke. A function that fails is 200 with the header x-amz-function-error.
"""

import json
from collections.abc import Iterable
from typing import Any

from werkzeug.wrappers import Request, Response

from local.roles import INVOCATION, Application
from local.runtime import EventTooLarge, FunctionError, Invocation, Invoke
from local.template import Template


def answered(application: Application, template: Template, invoke: Invoke) -> Application:
    """Return the application behind Lambda's Invoke; who may call is another layer (local/roles.py)."""
    names = {template.deployed_name(name): name for name in template.functions}

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        invoked = INVOCATION.fullmatch(request.path)
        if invoked is None:
            return application(environ, start_response)
        return _answer(request, names.get(invoked[1]), invoke)(environ, start_response)

    return answer


def _answer(request: Request, function: str | None, invoke: Invoke) -> Response:
    if function is None:
        return Response('{"Type":"User","Message":"Function not found"}', 404, content_type="application/json")
    try:
        invocation = invoke(function, json.loads(request.data or b"{}"))
    except EventTooLarge:
        return Response('{"Type":"User","message":"Request must be smaller than 6291456 bytes"}', 413)
    except ValueError:
        return Response('{"Type":"User","message":"Could not parse request body into json"}', 400)
    response = Response(json.dumps(invocation.payload), 200, content_type="application/json")
    if invocation.error is not None:
        response.headers["x-amz-function-error"] = "Unhandled"
    return response


def over_http(url: str) -> Invoke:
    """Return an `invoke` that hands events to the process which runs the functions (`make dev`)."""
    import httpx

    def invoke(function: str, event: dict[str, Any]) -> Invocation:
        answer = httpx.post(f"{url}/{function}", json=event, timeout=900).raise_for_status().json()
        error = FunctionError("Function", str(answer["error"])) if answer["error"] else None
        return Invocation(answer["request_id"], answer["duration"], answer["payload"], error)

    return invoke


def application_of(invoke: Invoke) -> Any:
    """Return the other end of `over_http`: an ASGI application for the process which runs the functions."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request as HttpRequest
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def run(request: HttpRequest) -> JSONResponse:
        done = await run_in_threadpool(invoke, request.path_params["function"], await request.json())
        error = done.error.message if done.error else None
        return JSONResponse(
            {"request_id": done.request_id, "duration": done.duration, "payload": done.payload, "error": error}
        )

    return Starlette(routes=[Route("/{function}", run, methods=["POST"])])
