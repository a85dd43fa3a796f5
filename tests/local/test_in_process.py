import os
import sys
import textwrap
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.in_process import InProcess
from local.runtime import EventTooLarge
from local.template import Function, Template

HANDLERS = """
    import os, sys, threading

    def handler(event, context):
        match event.get("do"):
            case "raise":
                raise LookupError("no such order")
            case "exit":
                sys.exit(3)
            case "set":
                return {1, 2}
            case "large":
                return "x" * 7_000_000
            case "thread":
                seen = []
                thread = threading.Thread(target=lambda: seen.append(os.environ["OWN"]))
                thread.start()
                thread.join()
                return seen
        return {
            "event": event, "names": sorted(os.environ), "own": os.environ.get("OWN"), "tuple": (1, 2),
            "request_id": context.aws_request_id, "name": context.function_name, "arn": context.invoked_function_arn,
            "remaining": context.get_remaining_time_in_millis(), "memory": context.memory_limit_in_mb,
        }
"""
NOW = 1_800_000_000.0


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a package of handlers that no other test has imported."""
    package = f"functions_{uuid.uuid4().hex}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "order.py").write_text(textwrap.dedent(HANDLERS))
    monkeypatch.syspath_prepend(tmp_path)
    yield package
    sys.modules.pop(f"{package}.order", None)
    sys.modules.pop(package, None)


@pytest.fixture
def variables() -> dict[str, dict[str, str]]:
    of_lambda = {"AWS_LAMBDA_FUNCTION_NAME": "shop-test-order", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256"}
    return {"order": {"OWN": "order", **of_lambda}, "ship": {"SHIP_ONLY": "x"}, "broken": {}}


@pytest.fixture
def in_process(package: str, variables: dict[str, dict[str, str]]) -> Iterator[InProcess]:
    functions = {
        name: Function(name, f"{package}/{module}.handler", 5, 256, None, {})
        for name, module in {"order": "order", "ship": "order", "broken": "nothing"}.items()
    }
    template = Template("shop", "test", "sa-east-1", "123456789012", "python3.13", functions=functions)
    in_process = InProcess(template, variables, clock=lambda: NOW)
    yield in_process
    in_process.stop()


def test_a_handler_gets_a_context_and_json(in_process: InProcess) -> None:
    invocation = in_process.invoke("order", {"text": "¿Hay arepas?", "keys": {1: "a"}})
    answer = invocation.payload
    assert invocation.error is None
    assert answer["event"] == {"text": "¿Hay arepas?", "keys": {"1": "a"}}
    assert answer["tuple"] == [1, 2]
    assert answer["request_id"] == invocation.request_id
    assert answer["arn"] == "arn:aws:lambda:sa-east-1:123456789012:function:shop-test-order"
    assert (answer["name"], answer["memory"], answer["remaining"]) == ("shop-test-order", "256", 5000)


def test_a_call_sees_the_variables_of_its_function_only(in_process: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_TEST", "x")
    order, ship = in_process.invoke("order", {}).payload, in_process.invoke("ship", {}).payload
    assert (order["own"], ship["own"]) == ("order", None)
    assert "SHIP_ONLY" in ship["names"]
    assert not {"SHIP_ONLY", "OF_THE_TEST", "HOME"} & set(order["names"])
    assert os.environ["OF_THE_TEST"] == "x"


def test_calls_at_once_do_not_mix_their_variables(in_process: InProcess) -> None:
    with ThreadPoolExecutor(8) as threads:
        names = ["order", "ship"] * 50
        answers = list(threads.map(lambda name: in_process.invoke(name, {}).payload, names))
    assert [answer["own"] for answer in answers] == ["order", None] * 50


def test_this_thread_may_look_through_other_eyes_for_a_while(
    in_process: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTSIDE", "x")
    with in_process.seeing({"OWN": "job"}):
        assert os.environ["OWN"] == "job"
        assert "OUTSIDE" not in os.environ
        assert in_process.invoke("order", {}).payload["own"] == "order"
        assert os.environ["OWN"] == "job"
    assert os.environ["OUTSIDE"] == "x"


def test_a_thread_of_the_handler_finds_the_variables(in_process: InProcess) -> None:
    assert in_process.invoke("order", {"do": "thread"}).payload == ["order"]


def test_changed_variables_count_from_the_next_call(
    in_process: InProcess, variables: dict[str, dict[str, str]]
) -> None:
    in_process.invoke("order", {})
    variables["order"]["OWN"] = "changed"
    assert in_process.invoke("order", {}).payload["own"] == "changed"
    assert in_process.invoke("order", {"do": "thread"}).payload == ["changed"]


def test_stop_gives_the_environment_back(in_process: InProcess) -> None:
    assert os.environ["SHIP_ONLY"] == "x"
    in_process.stop()
    assert "SHIP_ONLY" not in os.environ


@pytest.mark.parametrize(
    ("do", "type_", "message"),
    [
        ("raise", "LookupError", "no such order"),
        ("exit", "Runtime.ExitError", "exit status 3"),
        ("set", "Runtime.MarshalError", "not JSON serializable"),
        ("large", "Function.ResponseSizeTooLarge", "6291556"),
    ],
)
def test_errors_are_those_of_lambda(in_process: InProcess, do: str, type_: str, message: str) -> None:
    invocation = in_process.invoke("order", {"do": do})
    assert invocation.error is not None
    assert invocation.error.type == type_
    assert message in invocation.error.message
    assert invocation.payload == {
        "errorMessage": invocation.error.message,
        "errorType": type_,
        "requestId": invocation.request_id,
        "stackTrace": invocation.error.stack_trace,
    }


def test_the_stack_of_an_exception_starts_in_the_handler(in_process: InProcess) -> None:
    invocation = in_process.invoke("order", {"do": "raise"})
    assert len(invocation.payload["stackTrace"]) == 1
    assert "order.py" in invocation.payload["stackTrace"][0]


def test_a_module_that_does_not_import_is_an_error(in_process: InProcess) -> None:
    error = in_process.invoke("broken", {}).error
    assert error is not None
    assert error.type == "ModuleNotFoundError"


def test_an_unknown_function_is_refused(in_process: InProcess) -> None:
    with pytest.raises(ValueError, match="nobody"):
        in_process.invoke("nobody", {})


def test_an_event_that_lambda_cannot_carry_is_refused(in_process: InProcess) -> None:
    with pytest.raises(EventTooLarge):
        in_process.invoke("order", {"body": "x" * 7_000_000})
