"""Lambda's execution environments: the handlers run here as they run there.

`Environments` gives each function processes of its own, each driven by the real runtime (awslambdaric) through a
Runtime API (version 2018-06-01), one event at a time, with time-outs that kill. `local/in_process.py` calls the
handlers inside this process, which is the fast way for tests. Both offer the same `invoke`.
"""

import contextlib
import ctypes
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

from local.runtime_api import Event, Report, RuntimeApi
from local.template import Function, Template

PAYLOAD_LIMIT = 6_291_556  # bytes of an event or an answer, from Lambda's quotas
INIT_SECONDS = 10
PROCESSES_A_FUNCTION = 2
IDLE_SECONDS = 300
IDLE_LIMIT = 8
LOG_TAIL_LINES = 10


class EventTooLarge(ValueError):
    """The event has more bytes than Lambda takes."""


@dataclass(frozen=True)
class FunctionError:
    """Why an invocation has no answer: Lambda's errorType and errorMessage, and the stack or last log lines."""

    type: str
    message: str
    stack_trace: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Invocation:
    """What became of one event. `payload` is the decoded answer, or Lambda's error document when `error` is set;
    `duration` is in seconds and leaves out the start of the environment."""

    request_id: str
    duration: float
    payload: Any
    error: FunctionError | None = None


Invoke = Callable[[str, dict[str, Any]], Invocation]


def failed(request_id: str, duration: float, error: FunctionError) -> Invocation:
    """The invocation that ended in `error`, with the document that Lambda answers for it."""
    document = {
        "errorMessage": error.message,
        "errorType": error.type,
        "requestId": request_id,
        "stackTrace": error.stack_trace,
    }
    return Invocation(request_id, duration, document, error)


def answered(request_id: str, duration: float, body: bytes) -> Invocation:
    """The invocation whose handler answered `body`: an error if it is too large for Lambda or not JSON."""
    if len(body) > PAYLOAD_LIMIT:
        message = f"Response payload size exceeded maximum allowed payload size ({PAYLOAD_LIMIT} bytes)."
        return failed(request_id, duration, FunctionError("Function.ResponseSizeTooLarge", message))
    try:
        return Invocation(request_id, duration, json.loads(body))
    except ValueError:
        return failed(request_id, duration, FunctionError("Runtime.MarshalError", "The answer is not JSON"))


def encode_event(event: dict[str, Any]) -> bytes:
    """The event as the JSON that Lambda would carry. Raises EventTooLarge above the limit."""
    body = json.dumps(event).encode()
    if len(body) > PAYLOAD_LIMIT:
        raise EventTooLarge(f"the event has {len(body)} bytes, Lambda takes at most {PAYLOAD_LIMIT}")
    return body


def platform_variables(project: Path) -> dict[str, str]:
    """What Lambda sets beside the function's own names, as far as it makes sense here."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "LAMBDA_TASK_ROOT": str(project),
    }


class Environments:
    """Every execution environment of the template's functions.

    `environments` maps a function to its variables, `project` is the folder that holds the handlers, and each
    function writes to `<log_folder>/<function>.log`. A function has up to two processes (fewer when it reserves
    less); more events than that wait. Of all functions together `idle_limit` processes stay warm, so that a laptop's
    memory does not grow with the number of functions.
    """

    def __init__(
        self,
        template: Template,
        environments: Mapping[str, Mapping[str, str]],
        project: Path,
        log_folder: Path,
        idle_seconds: float = IDLE_SECONDS,
        idle_limit: int = IDLE_LIMIT,
    ) -> None:
        log_folder.mkdir(parents=True, exist_ok=True)
        self._template = template
        self._environments = environments
        self._project = project
        self._log_folder = log_folder
        self._idle_seconds = idle_seconds
        self._idle_limit = idle_limit
        self._changed = threading.Condition()
        self._idle: dict[str, list[_Environment]] = {name: [] for name in template.functions}
        self._all: dict[str, set[_Environment]] = {name: set() for name in template.functions}
        self._stopping = threading.Event()
        # Linux kills a child when the thread that started it ends, so one thread that stays starts them all.
        self._starter = ThreadPoolExecutor(1, "environment starter")
        threading.Thread(target=self._reap_now_and_then, name="environment reaper", daemon=True).start()

    def invoke(self, function: str, event: dict[str, Any]) -> Invocation:
        """Hand one event to the function and wait for what becomes of it; callable from any thread.

        Raises ValueError for an unknown function and EventTooLarge for an event above Lambda's size limit.
        """
        body = encode_event(event)
        while True:
            environment = self._take(function)
            try:
                invocation = environment.invoke(body)
            finally:
                self._give_back(environment)
            if invocation is not None:
                return invocation

    def start(self, function: str) -> FunctionError | None:
        """Warm up: have one environment of the function imported and waiting. Answers why it could not."""
        environment = self._take(function)
        try:
            return environment.wait_until_ready()
        finally:
            self._give_back(environment)

    def reap(self, idle_seconds: float) -> None:
        """Stop the environments that have had nothing to do for `idle_seconds` (0: all idle ones, for new code)."""
        with self._changed:
            old = [one for idle in self._idle.values() for one in idle if one.idle_for() >= idle_seconds]
            self._dismiss(old)
        for environment in old:
            environment.stop()

    def _dismiss(self, idle: list["_Environment"]) -> None:
        """Forget these environments; whoever calls holds the lock, and stops them afterwards."""
        for environment in idle:
            self._idle[environment.function.name].remove(environment)
            self._all[environment.function.name].remove(environment)
        self._changed.notify_all()

    def stop(self) -> None:
        """Kill every environment; invocations under way end in an error."""
        self._stopping.set()
        with self._changed:
            everything = [environment for environments in self._all.values() for environment in environments]
            self._changed.notify_all()
        for environment in everything:
            environment.stop()
        self._starter.shutdown()

    def _take(self, function: str) -> "_Environment":
        if function not in self._template.functions:
            raise ValueError(f"there is no function {function!r} in the template")
        described = self._template.functions[function]
        limit = min(described.concurrency or PROCESSES_A_FUNCTION, PROCESSES_A_FUNCTION)
        with self._changed:
            while not self._idle[function] and len(self._all[function]) >= limit and not self._stopping.is_set():
                self._changed.wait()
            if self._stopping.is_set():
                raise RuntimeError("the environments have been stopped")
            if self._idle[function]:
                return self._idle[function].pop()
            environment = _Environment(self._template, described, self._log_folder / f"{function}.log")
            self._all[function].add(environment)
        try:
            variables = {**platform_variables(self._project), **self._environments[function]}
            self._starter.submit(environment.start, variables, self._project).result()
        except BaseException:
            environment.stop()
            self._give_back(environment)
            raise
        return environment

    def _give_back(self, environment: "_Environment") -> None:
        """Offer the environment to the next event, or retire it. An idle environment belongs to the next taker."""
        function, retired = environment.function.name, []
        with self._changed:
            if environment.is_usable() and not self._stopping.is_set():
                self._idle[function].append(environment)
            else:
                self._all[function].discard(environment)
                retired = [environment]
            waiting = sorted((one for idle in self._idle.values() for one in idle), key=_Environment.idle_for)
            crowded_out = waiting[self._idle_limit :]
            self._dismiss(crowded_out)
        for one in (*retired, *crowded_out):
            one.stop()

    def _reap_now_and_then(self) -> None:
        while not self._stopping.wait(min(self._idle_seconds, 30)):
            self.reap(self._idle_seconds)


class _Environment:
    """One process of one function. It takes one event at a time and is never used again after a failure of its own."""

    def __init__(self, template: Template, function: Function, log: Path) -> None:
        self.function = function
        self._arn = template.arn("lambda", f"function:{template.deployed_name(function.name)}")
        self._log = log
        self._api = RuntimeApi()
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._usable = True
        self._idle_since = time.monotonic()

    def start(self, variables: dict[str, str], project: Path) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "awslambdaric", self.function.handler],
                env={**variables, "AWS_LAMBDA_RUNTIME_API": self._api.address, "_HANDLER": self.function.handler},
                cwd=project,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        threading.Thread(target=self._report_exit, args=(self._process,), daemon=True).start()

    def is_usable(self) -> bool:
        return self._usable

    def idle_for(self) -> float:
        return time.monotonic() - self._idle_since

    def wait_until_ready(self) -> FunctionError | None:
        """Wait until the runtime asks for an event; the error is what kept it from that."""
        if self._ready:
            return None
        report = self._next_report(INIT_SECONDS)
        self._ready = report is not None and report.kind == "ready"
        self._usable = self._ready
        if self._ready:
            return None
        if report is None:
            return FunctionError("Sandbox.Timedout", f"Init timed out after {INIT_SECONDS} seconds")
        return self._as_error(report)

    def invoke(self, body: bytes) -> Invocation | None:
        """None when an environment that had worked before died while it was idle: the event is still to be handled."""
        request_id = str(uuid.uuid4())
        had_worked = self._ready or self._api.has_answered
        error = self.wait_until_ready()
        if had_worked and (error or not self._is_running()):
            self._usable = False
            return None
        if error:
            return failed(request_id, 0.0, error)
        self._ready, self._usable = False, False
        started = time.time()
        deadline_ms = int((started + self.function.timeout) * 1000)
        self._api.events.put(Event(request_id, body, deadline_ms, self._arn, _trace_id()))
        report = self._next_report(self.function.timeout)
        duration = time.time() - started
        self._idle_since = time.monotonic()
        if report is None:
            message = f"RequestId: {request_id} Error: Task timed out after {self.function.timeout:.2f} seconds"
            return failed(request_id, duration, FunctionError("Sandbox.Timedout", message))
        self._usable = report.kind in ("response", "error")
        if report.kind == "response":
            return answered(request_id, duration, report.body)
        return failed(request_id, duration, self._as_error(report, request_id))

    def stop(self) -> None:
        self._usable = False
        if self._process is not None and self._is_running():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._api.stop()

    def _is_running(self) -> bool:
        """Asks the system: `Popen.poll` says nothing while another thread waits for the process."""
        if self._process is None:
            return False
        try:
            os.kill(self._process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _next_report(self, seconds: float) -> Report | None:
        try:
            return self._api.reports.get(timeout=seconds)
        except Empty:
            return None

    def _report_exit(self, process: subprocess.Popen[bytes]) -> None:
        self._api.reports.put(Report("exit", str(process.wait()).encode()))

    def _as_error(self, report: Report, request_id: str = "") -> FunctionError:
        if report.kind == "exit":
            code = int(report.body)
            status = f"exit status {code}" if code >= 0 else f"signal: {signal.Signals(-code).name}"
            message = f"RequestId: {request_id} Error: Runtime exited with error: {status}"
            return FunctionError("Runtime.ExitError", message, self._last_log_lines())
        document = json.loads(report.body)
        return FunctionError(document["errorType"], document["errorMessage"], document.get("stackTrace") or [])

    def _last_log_lines(self) -> list[str]:
        return self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]


def _trace_id() -> str:
    """An X-Ray trace header, not sampled."""
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=0"


_LIBRARY = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """Runs in the new process: the kernel kills it when its parent is gone, even by kill -9."""
    if _LIBRARY is not None:
        _LIBRARY.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
