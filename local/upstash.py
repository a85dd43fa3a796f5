"""Upstash's REST protocol over fakeredis, or over a real Redis.

Commands come as a JSON array (POST /), as several (POST /pipeline, POST /multi-exec) or as a path (/set/name/value).
The answer is {"result": ...} or, with HTTP status 400, {"error": "..."}; a pipeline answers a list of them. With the
header `Upstash-Encoding: base64` every string in a result but OK is base64.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import fakeredis
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Command = list[str | int | float]
# Commands that need a connection of their own, which a REST call does not have.
UNAVAILABLE = (
    {"MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH", "SELECT", "AUTH", "HELLO", "QUIT", "RESET"}
    | {"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR"}
    | {"BLPOP", "BRPOP", "BRPOPLPUSH", "BLMOVE", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP"}
)
# Upstash understands this flag in a script's first line; a plain Redis refuses the whole script because of it.
UPSTASH_SCRIPT_FLAG = "allow-key-locking"


def application(token: str, redis_url: str | None = None) -> Starlette:
    """Upstash's REST API. The store is a fresh fakeredis, or the Redis at `redis_url`."""
    store = _connect(redis_url)
    scripts = _Scripts()

    async def run_command(request: Request) -> Response:
        if refusal := _refuse_stranger(request, token):
            return refusal
        command = await _read_body(request) if request.url.path == "/" else await _read_path(request)
        if not _is_command(command):
            return _error("ERR failed to parse command")
        [answer] = await _execute(store, scripts, [command], transaction=False)
        return JSONResponse(_encode(request, answer), 400 if isinstance(answer, RedisError) else 200)

    async def run_pipeline(request: Request) -> Response:
        if refusal := _refuse_stranger(request, token):
            return refusal
        commands = await _read_body(request)
        if not isinstance(commands, list) or not commands or not all(_is_command(command) for command in commands):
            return _error("ERR failed to parse pipeline request")
        try:
            is_transaction = request.url.path == "/multi-exec"
            answers = await _execute(store, scripts, commands, is_transaction)
        except ResponseError:
            return _error("EXECABORT Transaction discarded because of previous errors.")
        return JSONResponse([_encode(request, answer) for answer in answers])

    return Starlette(
        routes=[
            Route("/pipeline", run_pipeline, methods=["POST"]),
            Route("/multi-exec", run_pipeline, methods=["POST"]),
            Route("/{path:path}", run_command, methods=["GET", "POST"]),
        ]
    )


def _connect(redis_url: str | None) -> Redis:
    store: Redis
    if redis_url is None:
        store = fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer(), protocol=2)
    else:
        store = Redis.from_url(redis_url, protocol=2)
    store.response_callbacks.clear()  # they would reshape the replies
    return store


async def _execute(
    store: Redis, scripts: "_Scripts", commands: Sequence[Command], transaction: bool
) -> list[Any | RedisError]:
    """The reply of each command, an error in its place if it failed.

    Raises ResponseError when Redis refuses to run the transaction.
    """
    for command in commands:
        if str(command[0]).upper() in UNAVAILABLE:
            return [ResponseError(f"ERR Command is not available: '{command[0]}'")] * len(commands)
    pipeline = store.pipeline(transaction=transaction)
    for command in commands:
        pipeline.execute_command(*scripts.to_redis(command))
    try:
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
    except ResponseError:
        raise
    except RedisError as error:  # the store is away
        return [error] * len(commands)
    return [scripts.from_redis(command, reply) for command, reply in zip(commands, replies, strict=True)]


class _Scripts:
    """Makes scripts written for Upstash run on a plain Redis, under the SHA that their author knows."""

    def __init__(self) -> None:
        self._sha_in_redis: dict[str, str] = {}

    def to_redis(self, command: Command) -> list[str | int | float]:
        match [str(word).upper() for word in command[:2]]:
            case ["EVAL" | "EVAL_RO", _]:
                return [command[0], self._rewrite(str(command[1])), *command[2:]]
            case ["SCRIPT", "LOAD"] if len(command) == 3:
                return ["SCRIPT", "LOAD", self._rewrite(str(command[2]))]
            case ["EVALSHA" | "EVALSHA_RO", _]:
                sha = str(command[1]).lower()
                return [command[0], self._sha_in_redis.get(sha, sha), *command[2:]]
            case ["SCRIPT", "EXISTS"]:
                return [*command[:2], *(self._sha_in_redis.get(str(sha).lower(), str(sha)) for sha in command[2:])]
        return command

    def from_redis(self, command: Command, reply: Any) -> Any:
        if [str(word).upper() for word in command[:2]] == ["SCRIPT", "LOAD"] and not isinstance(reply, Exception):
            return _sha(str(command[2])).encode()
        return reply

    def _rewrite(self, script: str) -> str:
        first_line = script.partition("\n")[0]
        if not first_line.startswith("#!") or UPSTASH_SCRIPT_FLAG not in first_line:
            return script
        rewritten = "--" + script
        self._sha_in_redis[_sha(script)] = _sha(rewritten)
        return rewritten


def _sha(script: str) -> str:
    return hashlib.sha1(script.encode()).hexdigest()


def _refuse_stranger(request: Request, token: str) -> Response | None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        given = request.query_params.get("_token", "")
    if hmac.compare_digest(given.encode(), token.encode()):
        return None
    return _error("WRONGPASS invalid or missing auth token", 401)


async def _read_body(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except ValueError:
        return None


async def _read_path(request: Request) -> Any:
    """The command of /set/name/value?EX=10, and of a POST whose body is the last argument."""
    path: bytes = request.scope["raw_path"]
    command = [unquote(word.decode("latin-1")) for word in path.strip(b"/").split(b"/")]
    if request.method == "POST" and (body := await request.body()):
        command.append(body.decode("utf-8", "replace"))
    for name, value in request.query_params.multi_items():
        if name != "_token":
            command += [name, value] if value else [name]
    return command


def _is_command(command: Any) -> bool:
    if not isinstance(command, list) or not command or not isinstance(command[0], str) or not command[0]:
        return False
    return all(isinstance(word, str | int | float) and not isinstance(word, bool) for word in command)


def _encode(request: Request, answer: Any) -> dict[str, Any]:
    if isinstance(answer, RedisError):
        return {"error": _error_text(answer)}
    in_base64 = request.headers.get("upstash-encoding", "").lower() == "base64"

    def encode(reply: Any) -> Any:
        match reply:
            case bytes() if in_base64 and reply != b"OK":
                return base64.b64encode(reply).decode()
            case bytes():
                return reply.decode("utf-8", "replace")
            case list() | tuple():
                return [encode(inner) for inner in reply]
            case RedisError():
                return encode(_error_text(reply).encode())
        return reply

    return {"result": encode(answer)}


def _error_text(error: RedisError) -> str:
    """The error as Redis says it; the Python client has taken the code off its front."""
    code = getattr(error, "status_code", None)
    return f"{code} {error}" if code else str(error)


def _error(message: str, status: int = 400) -> Response:
    return JSONResponse({"error": message}, status)
