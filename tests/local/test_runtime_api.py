import json
import threading
from collections.abc import Iterator
from typing import Literal

import httpx
import pytest

from local.runtime_api import Event, Report, RuntimeApi

EVENT = Event("id-1", b'{"a": 1}', 1_800_000_000_000, "arn:of:the:function", "Root=1-2-3")


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    api = RuntimeApi()
    yield api
    api.stop()


@pytest.fixture
def runtime(api: RuntimeApi) -> Iterator[httpx.Client]:
    """Stands for the runtime in the environment's process."""
    with httpx.Client(base_url=f"http://{api.address}/2018-06-01/runtime") as runtime:
        yield runtime


def test_the_next_event_carries_its_headers(api: RuntimeApi, runtime: httpx.Client) -> None:
    api.events.put(EVENT)
    answer = runtime.get("/invocation/next")
    assert answer.json() == {"a": 1}
    assert answer.headers["Lambda-Runtime-Aws-Request-Id"] == "id-1"
    assert answer.headers["Lambda-Runtime-Deadline-Ms"] == "1800000000000"
    assert answer.headers["Lambda-Runtime-Invoked-Function-Arn"] == "arn:of:the:function"
    assert answer.headers["Lambda-Runtime-Trace-Id"] == "Root=1-2-3"
    assert api.reports.get(timeout=5) == Report("ready")


@pytest.mark.parametrize("kind", ["response", "error"])
def test_the_answer_to_an_event_is_reported(
    api: RuntimeApi, runtime: httpx.Client, kind: Literal["response", "error"]
) -> None:
    api.events.put(EVENT)
    runtime.get("/invocation/next")
    assert runtime.post(f"/invocation/id-1/{kind}", content=b'{"ok": true}').status_code == 202
    assert [api.reports.get(timeout=5).kind, api.reports.get(timeout=5)] == ["ready", Report(kind, b'{"ok": true}')]


def test_an_answer_to_another_event_is_refused(api: RuntimeApi, runtime: httpx.Client) -> None:
    api.events.put(EVENT)
    runtime.get("/invocation/next")
    refusal = runtime.post("/invocation/id-2/response", content=b"{}")
    assert (refusal.status_code, refusal.json()["errorType"]) == (400, "InvalidRequestID")
    assert runtime.post("/invocation/id-1/response", content=b"{}").status_code == 202
    assert runtime.post("/invocation/id-1/response", content=b"{}").status_code == 400


def test_a_failed_start_is_reported(api: RuntimeApi, runtime: httpx.Client) -> None:
    error = {"errorType": "Runtime.ImportModuleError", "errorMessage": "no"}
    assert runtime.post("/init/error", json=error).status_code == 202
    report = api.reports.get(timeout=5)
    assert (report.kind, json.loads(report.body)) == ("init error", error)


def test_other_paths_are_not_there(runtime: httpx.Client) -> None:
    assert runtime.get("/invocation/other").status_code == 404
    assert runtime.post("/invocation/next", content=b"").status_code == 404


def test_stop_lets_go_of_a_runtime_that_waits(api: RuntimeApi, runtime: httpx.Client) -> None:
    failures: list[Exception] = []

    def wait() -> None:
        try:
            runtime.get("/invocation/next", timeout=20)
        except httpx.HTTPError as error:
            failures.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert api.reports.get(timeout=5) == Report("ready")
    api.stop()
    waiting.join(10)
    assert isinstance(failures[0], httpx.RemoteProtocolError)
    with pytest.raises(httpx.ConnectError):
        runtime.get("/invocation/next")
