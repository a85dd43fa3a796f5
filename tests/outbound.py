"""Outside services that a function of the test answers for, in place of shared/cloud/transport.py."""

from collections.abc import Callable, Mapping

import httpx
import pytest

from shared.cloud import transport
from shared.cloud.destinations import Destination, admitted
from shared.cloud.transport import Answer, NotSent, TooLargeAnswer
from shared.errors import Unavailable

Handle = Callable[[httpx.Request], httpx.Response]


def answer_by(monkeypatch: pytest.MonkeyPatch, handle: Handle) -> list[httpx.Request]:
    """From now on `handle` answers every call; the requests that it got. It raises httpx's errors for a failure."""
    requests: list[httpx.Request] = []

    def send(
        destination: Destination,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        timeout_seconds: float,
        *,
        max_bytes: int,
        repeat: bool = True,
    ) -> Answer:
        if admitted(destination, url) is None:
            raise NotSent("upstream_foreign_address")
        timeout = {"timeout": {"read": timeout_seconds}}
        requests.append(httpx.Request(method, url, headers=dict(headers), content=body, extensions=timeout))
        try:
            response = handle(requests[-1])
        except httpx.ConnectError:
            raise NotSent("upstream_connect_ConnectionRefusedError") from None
        except httpx.ReadTimeout:
            raise Unavailable("upstream_timeout") from None
        if len(response.read()) > max_bytes:
            raise TooLargeAnswer("upstream_answer_too_large")
        return Answer(response.status_code, response.content, dict(response.headers))

    monkeypatch.setattr(transport, "send", send)
    return requests
