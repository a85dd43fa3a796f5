"""Keeping several processes alive together: started in the order of their needs, watched, restarted, stopped as one.

Each child has a pipe to this process as its standard input, so that it notices even a killed parent by the end of
that input (see `local.serve.end_with_parent`). Only the standard library is used, which keeps the parent small.
"""

import contextlib
import http.client
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

LAST_LINES = 15
TICK = 0.02  # seconds between two looks while starting
WATCH_TICK = 0.2  # seconds between two looks while everything runs
STOP_GRACE = 8.0  # seconds that a process has to end before it is killed

Say = Callable[[str], None]


class WorldError(RuntimeError):
    """The world cannot start or cannot go on; the message says why in a sentence."""


@dataclass(frozen=True)
class Component:
    """A process of the world. It is ready when `ready` says so; without `ready` it is a job: ready when it ended well.

    `after` names the components that must be ready before it starts; `env` is added to our own environment.
    """

    name: str
    argv: Sequence[str]
    ready: Callable[[], bool] | None
    after: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    is_ready: bool = False
    restarts: int = 0


class Supervisor:
    """Runs `components` with one log file each in `log_folder`.

    `say` gets the sentences for the person at the terminal. A component that dies once it was ready is restarted up
    to `restarts` times; one that dies earlier, or too often, ends everything.
    """

    def __init__(
        self,
        components: Sequence[Component],
        log_folder: Path,
        say: Say,
        *,
        restarts: int = 2,
        start_seconds: float = 90.0,
        on_launch: Callable[[Mapping[str, int]], None] = lambda pids: None,
    ) -> None:
        self.components = {component.name: component for component in components}
        self.log_folder = log_folder
        self._say = say
        self._restarts = restarts
        self._start_seconds = start_seconds
        self._on_launch = on_launch  # told the process id of every live component whenever one has been launched
        self._running: dict[str, _Running] = {}

    def start(self, stop: threading.Event) -> bool:
        """Start everything; True when all are ready, False when `stop` was set meanwhile. Raises WorldError.

        Call it from the main thread: on Linux a child ends together with the thread that started it.
        """
        self.log_folder.mkdir(parents=True, exist_ok=True)
        for name in self.components:
            self._log(name).write_bytes(b"")
        deadline = time.monotonic() + self._start_seconds
        while not all(self._is_ready(name) for name in self.components):
            if stop.is_set():
                return False
            for component in self.components.values():
                self._advance(component)
            if time.monotonic() > deadline:
                late = [name for name in self._running if not self._is_ready(name)]
                raise WorldError(
                    f"Not ready after {self._start_seconds:.0f} s: {', '.join(late)}. {self._tail(late[0])}"
                )
            stop.wait(TICK)
        return True

    def watch(self, stop: threading.Event) -> None:
        """Return when `stop` is set. Restart what dies; raises WorldError when that does not help."""
        while not stop.wait(WATCH_TICK):
            for name, running in self._running.items():
                component = self.components[name]
                if component.ready is None or running.process.poll() is None:
                    continue
                self._say(f"{name} {_ending(running.process)}. {self._tail(name)}")
                if running.restarts >= self._restarts:
                    raise WorldError(f"{name} has died {running.restarts + 1} times; the world stops.")
                self._say(f"Restarting {name}.")
                running.restarts += 1
                running.process = self._launch(component)
                self._tell_launches()

    def stop(self) -> None:
        """End every process: asked first, all at once, and killed after a grace."""
        alive = [running.process for running in self._running.values() if running.process.poll() is None]
        for process in alive:
            if process.stdin is not None:
                process.stdin.close()
            process.terminate()
        deadline = time.monotonic() + STOP_GRACE
        for process in alive:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):
                # The group, so that nothing that a killed process had started stays behind.
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._running.clear()

    def _is_ready(self, name: str) -> bool:
        return name in self._running and self._running[name].is_ready

    def _advance(self, component: Component) -> None:
        """Launch a component whose needs are met, or see whether it has become ready. Raises WorldError."""
        running = self._running.get(component.name)
        if running is None:
            if all(self._is_ready(need) for need in component.after):
                self._running[component.name] = _Running(self._launch(component))
                self._tell_launches()
            return
        if running.is_ready:
            return
        exit_code = running.process.poll()
        if component.ready is None:
            running.is_ready = exit_code == 0
        else:
            running.is_ready = exit_code is None and component.ready()
        if exit_code is not None and not running.is_ready:
            raise WorldError(
                f"{component.name} {_ending(running.process)} while starting. {self._tail(component.name)}"
            )

    def _launch(self, component: Component) -> subprocess.Popen[bytes]:
        with self._log(component.name).open("ab") as log:
            return subprocess.Popen(
                component.argv,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **component.env},
                # A Ctrl-C on the terminal is for us; we then stop the children.
                start_new_session=True,
            )

    def _tell_launches(self) -> None:
        self._on_launch({name: running.process.pid for name, running in self._running.items()})

    def _log(self, name: str) -> Path:
        return self.log_folder / f"{name}.log"

    def _tail(self, name: str) -> str:
        lines = self._log(name).read_text(errors="replace").splitlines()[-LAST_LINES:]
        if not lines:
            return f"It wrote nothing to {self._log(name)}."
        return f"Its last lines in {self._log(name)}:\n" + "\n".join(f"    {line}" for line in lines)


def _ending(process: subprocess.Popen[bytes]) -> str:
    """How a process ended: "ended with exit code 1", "was killed by SIGKILL"."""
    code = process.returncode
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was killed by {signal.Signals(-code).name}"


def answers(url: str) -> Callable[[], bool]:
    """A readiness check: something speaks HTTP at `url`, whatever it says."""
    address = urlsplit(url)

    def check() -> bool:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=1)
        try:
            connection.request("GET", address.path or "/")
            connection.getresponse()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    return check
