"""Serving ASGI applications on 127.0.0.1: in a thread (tests), or several in one process (`make dev`)."""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping

import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"
START_DEADLINE = 30.0  # seconds
GRACE = 5.0  # seconds that a process has to end on its own after its parent has gone


class _Server(uvicorn.Server):
    """A uvicorn server that starts on a bound socket and stops at once: no polling, no waiting for idle clients."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                ws="none",
                # A client may not choose the address that it seems to call from.
                proxy_headers=False,
            )
        )
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # Several servers share one process: `run` takes the signals for all of them.
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self.ready.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0)
        await self.lifespan.shutdown()

    def stop(self) -> None:
        """Ask the server to end. Safe from any thread, any number of times."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # its loop has already ended
                self._loop.call_soon_threadsafe(self._stop.set)


def bind(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1:`port` (0 takes a free one). Raises OSError when the port is taken."""
    # The protocol is named because asyncio sets TCP_NODELAY only then; without it every answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


@contextlib.contextmanager
def serve(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """Serve `app` from a daemon thread while the block runs; gives its base URL without a trailing slash.

    The port is bound before the thread starts, so no request can come too early. Raises OSError when the port is
    taken and RuntimeError when the application's start-up fails.
    """
    listener = bind(port)
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    server = _Server(app)

    def serve_until_stopped() -> None:
        try:
            # uvicorn ends a failed start-up with SystemExit; the waiting thread sees `started` unset.
            with contextlib.suppress(SystemExit):
                asyncio.run(server.serve(sockets=[listener]))
        finally:
            server.ready.set()

    thread = threading.Thread(target=serve_until_stopped, name=f"serve {url}", daemon=True)
    thread.start()
    try:
        if not server.ready.wait(START_DEADLINE) or not server.started:
            raise RuntimeError(f"the application for {url} did not start; its error is printed above")
        yield url
    finally:
        server.stop()
        thread.join(GRACE)
        listener.close()


def run(apps: Mapping[int, ASGIApp]) -> None:
    """Serve each application on its port, all in this process's event loop, until SIGTERM, SIGINT or the parent's end.

    The process is a child whose standard input is a pipe that its parent holds open (see `end_with_parent`).
    Raises OSError when a port is taken.
    """
    asyncio.run(_run(apps))


async def _run(apps: Mapping[int, ASGIApp]) -> None:
    listeners = [bind(port) for port in apps]
    servers = [_Server(app) for app in apps.values()]

    def stop() -> None:
        for server in servers:
            server.stop()

    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop)
    end_with_parent(stop)
    await asyncio.gather(
        *(server.serve(sockets=[listener]) for server, listener in zip(servers, listeners, strict=True))
    )


def end_with_parent(stop: Callable[[], None]) -> None:
    """Call `stop` (from another thread) when the parent process has gone, and exit hard if that does not end this one.

    Two signs, because either can miss: standard input reaches its end (every system), and on Linux the kernel sends
    SIGTERM. Standard input must be a pipe whose other end only the parent holds.
    """
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)

    def wait_for_end_of_input() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        stop()
        time.sleep(GRACE)
        os._exit(1)

    threading.Thread(target=wait_for_end_of_input, name="end with parent", daemon=True).start()
