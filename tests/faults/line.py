"""The line between the functions and everything else: each step over it has a name, and can be made to fail.

A step is one request of one call of a function: `queue_reply: database claim_turn`, `queue_send: provider`. The line
tells which steps there were, and at one of them lets the process be killed or the answer fail.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import pytest

from local.world import World
from shared.cloud import transport
from shared.errors import Unavailable

# killed: the process dies before the request leaves, or after the other side has done it. away: nobody is there.
# lost: the other side does it, and its answer never comes.
Mode = Literal["killed before", "killed after", "away", "lost"]
MODES: tuple[Mode, ...] = ("killed before", "killed after", "away", "lost")
_RPC = re.compile(r"/rest/v1/rpc/(\w+)")
_PARTS = {"upstash": "store", "aws": "cloud", "meta": "provider", "model": "model"}


class Fault(NamedTuple):
    """What happens at the step of that name, the first time that it is reached."""

    step: str
    mode: Mode


class _Call:
    """One call of a function: its steps so far, and whether its process has died."""

    def __init__(self, function: str) -> None:
        self.function = function
        self.steps: Counter[str] = Counter()
        self.is_dead = False


in_call: ContextVar[_Call | None] = ContextVar("in_call", default=None)


class Line:
    """The steps that were taken, and the fault that waits for its own."""

    def __init__(self, world: World) -> None:
        self._hosts = {urlsplit(world.plan.url(part)).netloc: said for part, said in _PARTS.items()}
        self._database = urlsplit(world.plan.url("supabase")).netloc
        self.taken: list[str] = []
        self.fault: Fault | None = None

    def over(self, url: str, body: bytes, send: Any, broken: Exception, lost: Exception) -> Any:
        """One request by `send`, as the fault would have it; beside the calls of functions nothing is changed."""
        call = in_call.get()
        name = call and self._name(url, body)
        if call is None or name is None:
            return send()
        if call.is_dead:
            raise SystemExit(137)
        call.steps[name] += 1
        nth = f" {call.steps[name]}" if call.steps[name] > 1 else ""
        step = f"{call.function}: {name}{nth}"
        self.taken.append(step)
        if self.fault is None or self.fault.step != step:
            return send()
        mode, self.fault = self.fault.mode, None
        if mode == "away":
            raise broken
        if mode == "killed before":
            call.is_dead = True
            raise SystemExit(137)
        send()
        if mode == "lost":
            raise lost
        call.is_dead = True
        raise SystemExit(137)

    def _name(self, url: str, body: bytes) -> str | None:
        """None for what is asked once in the life of a process: parameters and keys."""
        parts = urlsplit(url)
        if parts.netloc == self._database:
            found = _RPC.search(parts.path)
            return f"database {found[1]}" if found else "database"
        said = self._hosts.get(parts.netloc)
        if said == "cloud":
            return "queue" if b"QueueUrl" in body else None
        if said == "model":
            return f"model {parts.path.rpartition('/')[2]}"
        return said


@contextmanager
def line(world: World, kind: type[Line] = Line) -> Iterator[Line]:
    """Within the block every call of a function goes over the line."""
    watched, patch = kind(world), pytest.MonkeyPatch()
    plain_send, invoke = transport.send, world.functions.invoke

    def send(to: Any, method: str, url: str, headers: Any, body: bytes, seconds: float, **more: Any) -> Any:
        return watched.over(
            url,
            body,
            lambda: plain_send(to, method, url, headers, body, seconds, **more),
            transport.NotSent("upstream_connect_ConnectionRefusedError"),
            Unavailable("upstream_timeout"),
        )

    def called(function: str, event: dict[str, Any]) -> Any:
        mark = in_call.set(_Call(function))
        try:
            return invoke(function, event)
        finally:
            in_call.reset(mark)

    patch.setattr(transport, "send", send)
    patch.setattr(world.functions, "invoke", called)
    try:
        yield watched
    finally:
        patch.undo()
