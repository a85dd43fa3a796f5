"""Serving: no race at the start, a quick stop, and no process that outlives its parent."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from local.serve import bind, serve

PROJECT = Path(__file__).resolve().parents[2]

SERVER_PROCESS = """
import sys
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from local.serve import run

def app(name):
    return Starlette(routes=[Route("/", lambda request: PlainTextResponse(name))])

run({int(sys.argv[1]): app("first"), int(sys.argv[2]): app("second")})
"""


async def _hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        return [stack.enter_context(bind(0)).getsockname()[1] for _ in range(count)]


def _answer_when_ready(url: str, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(url).text
        time.sleep(0.02)
    raise AssertionError(f"{url} never answered")


def test_serves_at_once_and_stops_quickly() -> None:
    with httpx.Client() as idle_client, serve(Starlette(routes=[Route("/", _hello)])) as url:
        assert idle_client.get(url).text == "hello"
        began = time.monotonic()
        port = int(url.rsplit(":", 1)[1])
    assert time.monotonic() - began < 2
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    bind(port).close()  # free again


def test_a_taken_port_is_an_error_and_not_a_second_server() -> None:
    with bind(0) as taken, pytest.raises(OSError, match="in use"), serve(Starlette(), taken.getsockname()[1]):
        pass


def test_a_failing_start_up_is_reported() -> None:
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        raise ValueError("no database")
        yield

    with pytest.raises(RuntimeError, match="did not start"), serve(Starlette(lifespan=lifespan)):
        pass


def test_listens_on_loopback_only() -> None:
    with bind(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        assert listener.family == socket.AF_INET


@pytest.mark.parametrize("ending", ["closed input", "terminated"])
def test_a_process_serves_several_applications_and_ends_with_its_parent(ending: str) -> None:
    first, second = _free_ports(2)
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER_PROCESS, str(first), str(second)], stdin=subprocess.PIPE, cwd=PROJECT
    )
    try:
        assert _answer_when_ready(f"http://127.0.0.1:{first}/", process) == "first"
        assert _answer_when_ready(f"http://127.0.0.1:{second}/", process) == "second"
        if ending == "closed input":
            assert process.stdin is not None
            process.stdin.close()
        else:
            process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
