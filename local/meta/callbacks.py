"""The deliveries that Meta makes after a send: signed `statuses` webhooks, retried until they are answered with 200."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import httpx

from local import payloads
from local.meta.errors import ERRORS
from local.payloads import Json, StatusName

StatusMode = Literal["normal", "off", "reordered", "repeated", "failed"]
STATUS_MODES: tuple[StatusMode, ...] = ("normal", "off", "reordered", "repeated", "failed")

# Meta retries at once and then ever more slowly, for days. Here the same in seconds, and then it gives up.
RETRY_DELAYS = (0.1, 0.3, 1.0, 3.0)
TIMEOUT = 20.0  # seconds that a receiver has to answer


@dataclass(frozen=True)
class Callback:
    """One webhook to deliver: the exact bytes that are signed."""

    body: bytes


@dataclass
class Callbacks:
    """The queue of webhooks on their way to `webhook_url`, delivered in order, one at a time.

    With `at_once` a background task delivers them as soon as they are added; otherwise they wait for `flush`.
    """

    webhook_url: str | None
    app_secret: str
    at_once: bool = True
    retry_delays: Sequence[float] = RETRY_DELAYS
    delivered: int = 0
    abandoned: int = 0
    last_failure: str | None = None
    _waiting: deque[Callback] = field(default_factory=deque)
    _delivering: int = 0
    _worker: asyncio.Task[None] | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def pending(self) -> int:
        """How many webhooks have neither been delivered nor given up."""
        return len(self._waiting) + self._delivering

    def add(self, bodies: Sequence[Json]) -> None:
        """Queue webhook bodies. Without a webhook URL there is nobody to tell and nothing is queued."""
        if self.webhook_url is None:
            return
        self._waiting.extend(Callback(payloads.encode(body)) for body in bodies)
        if self.at_once and (self._worker is None or self._worker.done()):
            self._worker = asyncio.create_task(self.flush())

    async def flush(self) -> None:
        """Deliver everything that waits, and return when the queue is empty."""
        # The lock keeps the order when a flush meets the background worker. Loopback is plain HTTP: no certificates.
        async with self._turn, httpx.AsyncClient(timeout=TIMEOUT, trust_env=False, verify=False) as client:
            while self._waiting:
                callback = self._waiting.popleft()
                self._delivering = 1
                try:
                    await self._deliver(client, callback)
                finally:
                    self._delivering = 0

    async def _deliver(self, client: httpx.AsyncClient, callback: Callback) -> None:
        assert self.webhook_url is not None
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "facebookexternalua",
            "X-Hub-Signature-256": payloads.sign(callback.body, self.app_secret),
        }
        for delay in (*self.retry_delays, None):
            try:
                answer = await client.post(self.webhook_url, content=callback.body, headers=headers)
                if answer.status_code == 200:
                    self.delivered += 1
                    return
                self.last_failure = f"HTTP {answer.status_code}"
            except httpx.TransportError as error:
                self.last_failure = repr(error)
            if delay is not None:
                await asyncio.sleep(delay)
        self.abandoned += 1

    async def reset(self) -> None:
        """Forget what waits and what was counted."""
        self._waiting.clear()
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        self.delivered = self.abandoned = 0
        self.last_failure = None


def status_sequence(mode: StatusMode, error_code: int) -> list[tuple[StatusName, Json | None]]:
    """The statuses that follow one send, each with its error (see `payloads.status`) or None."""
    if mode == "off":
        return []
    if mode == "failed":
        error = ERRORS[error_code]
        return [("failed", {"code": error.code, "title": error.title, "details": error.details or error.title})]
    names: list[StatusName] = ["sent", "delivered", "read"]
    if mode == "reordered":
        names.reverse()
    if mode == "repeated":
        names = [name for name in names for _ in range(2)]
    return [(name, None) for name in names]
