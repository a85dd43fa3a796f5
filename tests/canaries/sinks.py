"""Everywhere that something written about a run ends up: what the process prints, its log, its error reports, what the
runtime would return, what the caller is told, and what lies in queues."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.ports import free_port
from local.runtime import Invocation
from local.serve import serve
from local.world import World
from shared.privacy import monitoring
from shared.privacy.logs import JsonLines
from tests.canaries.canaries import seen_in

QUEUED_AT_ONCE = 10


@dataclass
class Sinks:
    """What was written, by sink. `said` collects answers and errors of invocations."""

    world: World
    printed: pytest.CaptureFixture[str]
    log: io.StringIO = field(default_factory=io.StringIO)
    reports: list[bytes] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def invoke(self, function: str, event: dict[str, Any]) -> Invocation:
        """Run a function and keep what Lambda would hand on: its answer, or its error with message and trace."""
        invocation = self.world.invoke(function, event)
        self.said.append(repr(invocation))
        return invocation

    def leaks(self) -> list[str]:
        """`<sink>: <canary>` for everything that must not be there; and the sinks begin anew."""
        out, error = self.printed.readouterr()
        sinks = {
            "log": self.log.getvalue(),
            "printed": out + error,
            "report": "\n".join(report.decode("utf-8", "replace") for report in self.reports),
            "answer": "\n".join(self.said),
            "queue": "\n".join(self._queued()),
        }
        self.log.seek(0)
        self.log.truncate()
        self.reports.clear()
        self.said.clear()
        return [f"{sink}: {name}" for sink, text in sinks.items() for name in seen_in(text)]

    def _queued(self) -> Iterator[str]:
        sqs = self.world.cloud.client("sqs")
        for name in self.world.template.queues:
            url = self.world.cloud.queue_url(name)
            # Seen and left where it is.
            found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=QUEUED_AT_ONCE, VisibilityTimeout=0)
            yield from (json.dumps(message) for message in found.get("Messages", []))


@contextmanager
def watching(world: World, printed: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Sinks]:
    """Within the block every sink is watched, and error reports go to a server of ours."""
    sinks = Sinks(world, printed)

    async def keep(request: Request) -> JSONResponse:
        sinks.reports.append(await request.body())
        return JSONResponse({"id": "0" * 32})

    port = free_port()
    for variables in world.variables.values():
        monkeypatch.setitem(variables, "SENTRY_DSN", f"http://{'a' * 32}@127.0.0.1:{port}/1")
    handler = logging.StreamHandler(sinks.log)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    with serve(Starlette(routes=[Route("/{path:path}", keep, methods=["POST"])]), port):
        monitoring._client.cache_clear()
        root.addHandler(handler)
        try:
            yield sinks
        finally:
            root.removeHandler(handler)
            monitoring._client.cache_clear()
