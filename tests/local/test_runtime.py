import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from local.runtime import Environments, EventTooLarge, Invocation, _Environment
from local.template import Function, Template

PROJECT = Path(__file__).resolve().parents[2]
HANDLERS = """
import os, sys, threading, time

calls = 0

def handler(event, context):
    global calls
    calls += 1
    print("handling in", os.getpid(), flush=True)
    match event.get("do"):
        case "raise":
            raise LookupError("no such order")
        case "exit":
            print("last words", flush=True)
            os._exit(3)
        case "sleep":
            time.sleep(60)
        case "exit later":
            threading.Timer(0.01, os._exit, [1]).start()
        case "bytes":
            return b"not JSON"
        case "large":
            return "x" * 7_000_000
        case "wait for file":
            while not os.path.exists(event["file"]):
                time.sleep(0.005)
    return {
        "pid": os.getpid(), "calls": calls, "event": event, "environ": dict(os.environ), "cwd": os.getcwd(),
        "request_id": context.aws_request_id, "arn": context.invoked_function_arn, "name": context.function_name,
        "remaining": context.get_remaining_time_in_millis(), "memory": context.memory_limit_in_mb,
    }
"""


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def template_of(*functions: Function) -> Template:
    named = {function.name: function for function in functions}
    return Template("shop", "test", "sa-east-1", "123456789012", "python3.13", functions=named)


def variables_of(name: str) -> dict[str, str]:
    return {"AWS_LAMBDA_FUNCTION_NAME": f"shop-test-{name}", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "OWN": name}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "my project"
    (project / "functions").mkdir(parents=True)
    (project / "functions" / "order.py").write_text(HANDLERS)
    (project / "functions" / "broken.py").write_text("import nothing_of_this_name\n")
    (project / "functions" / "silent.py").write_text("import os\nprint('giving up', flush=True)\nos._exit(7)\n")
    return project


@pytest.fixture
def environments(project: Path, tmp_path: Path) -> Iterator[Environments]:
    template = template_of(
        Function("order", "functions/order.handler", 1, 256, None, {}),
        Function("single", "functions/order.handler", 10, 256, 1, {}),
        Function("patient", "functions/order.handler", 60, 256, None, {}),
        Function("broken", "functions/broken.handler", 5, 256, None, {}),
        Function("silent", "functions/silent.handler", 5, 256, None, {}),
    )
    variables = {name: variables_of(name) for name in template.functions}
    environments = Environments(template, variables, project, tmp_path / "logs")
    yield environments
    environments.stop()


def test_a_handler_runs_as_in_lambda(environments: Environments, project: Path) -> None:
    os.environ["OF_THE_PARENT"] = "x"
    try:
        invocation = environments.invoke("order", {"text": "¿Hay arepas? 🫓"})
    finally:
        del os.environ["OF_THE_PARENT"]
    assert invocation.error is None
    answer = invocation.payload
    assert answer["event"] == {"text": "¿Hay arepas? 🫓"}
    assert answer["request_id"] == invocation.request_id
    assert answer["arn"] == "arn:aws:lambda:sa-east-1:123456789012:function:shop-test-order"
    assert (answer["name"], answer["memory"], answer["cwd"]) == ("shop-test-order", "256", str(project))
    assert 0 < answer["remaining"] <= 1000
    assert answer["environ"]["OWN"] == "order"
    assert not {"OF_THE_PARENT", "HOME"} & answer["environ"].keys()


def test_a_warm_environment_is_used_again_and_keeps_its_state(environments: Environments) -> None:
    first = environments.invoke("order", {}).payload
    second = environments.invoke("order", {}).payload
    assert (second["pid"], second["calls"]) == (first["pid"], 2)


def test_functions_do_not_share_environments(environments: Environments) -> None:
    first, second = environments.invoke("order", {}).payload, environments.invoke("single", {}).payload
    assert first["pid"] != second["pid"]
    assert second["environ"]["OWN"] == "single"


def test_an_exception_is_the_error_that_lambda_answers(environments: Environments) -> None:
    invocation = environments.invoke("order", {"do": "raise"})
    assert invocation.error is not None
    assert (invocation.error.type, invocation.error.message) == ("LookupError", "no such order")
    assert invocation.payload["errorType"] == "LookupError"
    assert invocation.payload["requestId"] == invocation.request_id
    assert "raise LookupError" in "".join(invocation.payload["stackTrace"])
    assert environments.invoke("order", {}).payload["calls"] == 2


def test_a_handler_that_takes_too_long_is_killed(environments: Environments) -> None:
    before = environments.invoke("order", {}).payload["pid"]
    invocation = environments.invoke("order", {"do": "sleep"})
    assert invocation.error is not None
    assert invocation.error.type == "Sandbox.Timedout"
    assert invocation.error.message.endswith("Task timed out after 1.00 seconds")
    assert 0.9 < invocation.duration < 5
    wait_until(lambda: not psutil.pid_exists(before))
    assert environments.invoke("order", {}).payload["pid"] != before


def test_a_process_that_dies_is_an_error_with_its_exit_code_and_last_words(environments: Environments) -> None:
    invocation = environments.invoke("order", {"do": "exit"})
    assert invocation.error is not None
    assert invocation.error.type == "Runtime.ExitError"
    assert invocation.error.message.endswith("exit status 3")
    assert invocation.error.stack_trace[-1] == "last words"
    assert environments.invoke("order", {}).error is None


def test_a_process_that_dies_while_it_is_idle_loses_no_event(environments: Environments) -> None:
    dead = environments.invoke("order", {"do": "exit later"}).payload["pid"]
    wait_until(lambda: not psutil.pid_exists(dead))
    answer = environments.invoke("order", {"text": "still there?"}).payload
    assert answer["event"] == {"text": "still there?"}
    assert answer["pid"] != dead


@pytest.mark.parametrize(
    ("function", "error", "text"),
    [
        ("broken", "Runtime.ImportModuleError", "nothing_of_this_name"),
        ("silent", "Runtime.ExitError", "exit status 7"),
    ],
)
def test_a_module_that_does_not_import_is_an_error_of_every_event(
    environments: Environments, function: str, error: str, text: str
) -> None:
    for _ in range(2):
        invocation = environments.invoke(function, {})
        assert invocation.error is not None
        assert invocation.error.type == error
        assert text in invocation.error.message
    warmed = environments.start(function)
    assert warmed is not None
    assert warmed.type == error


def test_start_makes_an_environment_ready(environments: Environments) -> None:
    assert environments.start("order") is None
    assert environments.start("order") is None
    assert environments.invoke("order", {}).payload["calls"] == 1


@pytest.mark.parametrize(
    ("do", "error"), [("bytes", "Runtime.MarshalError"), ("large", "Function.ResponseSizeTooLarge")]
)
def test_an_answer_that_lambda_cannot_carry_is_an_error(environments: Environments, do: str, error: str) -> None:
    invocation = environments.invoke("patient", {"do": do})
    assert invocation.error is not None
    assert invocation.error.type == error


def test_an_event_that_lambda_cannot_carry_and_an_unknown_function_are_refused(environments: Environments) -> None:
    with pytest.raises(EventTooLarge):
        environments.invoke("order", {"body": "x" * 7_000_000})
    with pytest.raises(ValueError, match="nobody"):
        environments.invoke("nobody", {})


def test_two_events_run_at_once_and_a_third_one_waits(environments: Environments, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with ThreadPoolExecutor(3) as threads:
        event = {"do": "wait for file", "file": str(gate)}
        answers = [threads.submit(environments.invoke, "patient", event) for _ in range(3)]
        log = tmp_path / "logs" / "patient.log"
        wait_until(lambda: log.exists() and log.read_text().count("handling") == 2)
        gate.touch()
        payloads = [answer.result().payload for answer in answers]
    assert len({payload["pid"] for payload in payloads}) == 2
    assert sorted(payload["calls"] for payload in payloads) == [1, 1, 2]


def test_reserved_concurrency_limits_the_processes(environments: Environments) -> None:
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda number: environments.invoke("single", {"n": number}), range(4)))
    assert len({answer.payload["pid"] for answer in answers}) == 1
    assert sorted(answer.payload["event"]["n"] for answer in answers) == [0, 1, 2, 3]


def test_idle_environments_are_reaped(environments: Environments) -> None:
    pid = environments.invoke("order", {}).payload["pid"]
    environments.reap(3600)
    assert psutil.pid_exists(pid)
    environments.reap(0)
    wait_until(lambda: not psutil.pid_exists(pid))
    assert environments.invoke("order", {}).payload["calls"] == 1


def test_only_so_many_environments_stay_warm(project: Path, tmp_path: Path) -> None:
    names = ("one", "two", "three")
    template = template_of(*(Function(name, "functions/order.handler", 10, 256, None, {}) for name in names))
    variables = {name: variables_of(name) for name in names}
    environments = Environments(template, variables, project, tmp_path / "logs", idle_limit=2)
    try:
        pids = [environments.invoke(name, {}).payload["pid"] for name in names]
        wait_until(lambda: not psutil.pid_exists(pids[0]))
        assert [psutil.pid_exists(pid) for pid in pids[1:]] == [True, True]
        assert environments.invoke("two", {}).payload["calls"] == 2
        assert environments.invoke("one", {}).payload["calls"] == 1
    finally:
        environments.stop()


def test_an_environment_given_back_belongs_to_the_next_taker(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = template_of(*(Function(name, "functions/order.handler", 20, 256, 1, {}) for name in ("one", "two")))
    variables = {name: variables_of(name) for name in template.functions}
    environments = Environments(template, variables, project, tmp_path / "logs", idle_limit=1)
    log, done, stop = tmp_path / "logs" / "two.log", tmp_path / "done", _Environment.stop
    later: list[Future[Invocation]] = []

    def stop_while_the_other_is_taken(environment: _Environment) -> None:
        # "two" has been given back and pushed "one" out; in this moment the next event takes "two".
        if environment.function.name == "one" and not later:
            later.append(threads.submit(environments.invoke, "two", {"do": "wait for file", "file": str(done)}))
            wait_until(lambda: log.read_text().count("handling") == 2)
        stop(environment)

    with ThreadPoolExecutor(1) as threads:
        try:
            environments.invoke("one", {})
            monkeypatch.setattr(_Environment, "stop", stop_while_the_other_is_taken)
            first = environments.invoke("two", {})
            done.touch()
            second = later[0].result()
        finally:
            done.touch()
            environments.stop()
    assert (second.error, second.payload["pid"], second.payload["calls"]) == (None, first.payload["pid"], 2)


def test_stop_ends_the_processes_and_the_events_under_way(environments: Environments, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "patient.log"
    with ThreadPoolExecutor(1) as threads:
        under_way = threads.submit(environments.invoke, "patient", {"do": "sleep"})
        wait_until(lambda: log.exists() and "handling" in log.read_text())
        pid = int(log.read_text().split()[-1])
        environments.stop()
        error = under_way.result().error
    assert error is not None
    assert error.message.endswith("SIGKILL")
    wait_until(lambda: not psutil.pid_exists(pid))
    with pytest.raises(RuntimeError, match="stopped"):
        environments.invoke("order", {})


def test_processes_survive_the_thread_that_asked_for_them(environments: Environments) -> None:
    pids: list[int] = []
    thread = threading.Thread(target=lambda: pids.append(environments.invoke("order", {}).payload["pid"]))
    thread.start()
    thread.join()
    assert environments.invoke("order", {}).payload["pid"] == pids[0]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills at once; elsewhere the runtime ends by itself")
def test_a_busy_process_dies_with_its_parent(project: Path, tmp_path: Path) -> None:
    parent = textwrap.dedent("""
        import sys, threading
        from pathlib import Path
        from local.runtime import Environments
        from local.template import Function, Template
        function = Function("order", "functions/order.handler", 60, 256, None, {})
        template = Template("shop", "test", "sa-east-1", "1", "python3.13", functions={"order": function})
        environments = Environments(template, {"order": {}}, Path(sys.argv[1]), Path(sys.argv[2]))
        environments.invoke("order", {"do": "sleep"})
    """)
    command = [sys.executable, "-c", parent, str(project), str(tmp_path / "logs")]
    log = tmp_path / "logs" / "order.log"
    with subprocess.Popen(command, cwd=PROJECT) as running:
        try:
            wait_until(lambda: log.exists() and log.read_text().startswith("handling in"))
        finally:
            running.kill()
    child = int(log.read_text().split()[-1])
    wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
