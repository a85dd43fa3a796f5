"""`make dev` as a person has it: in a folder with spaces, killed without warning, started again, stopped."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from local.plan import PARTS, PROJECT
from local.ports import free_port, is_free

DEADLINE = 60.0


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what git tracks, on ports of its own."""
    copy = tmp_path / "a folder with spaces"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in listed.split("\0"):
        if name.split("/")[0] in {"local", "functions", "shared", "supabase", "serverless.yml"}:
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, target)
    return copy


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"{what} did not come within {DEADLINE:.0f} s"
        time.sleep(0.05)


def free_run_of_ports() -> int:
    """A port with free neighbours for every part."""
    while True:
        first = free_port()
        if all(is_free(port) for port in range(first, first + len(PARTS))):
            return first


class Running:
    """One `python -m local.dev` in a project folder, and what it printed."""

    def __init__(self, project: Path, first_port: int) -> None:
        self.output = project.parent / "output"
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment = inherited | {"PORTERO_PORT": str(first_port), "PYTHONDONTWRITEBYTECODE": "1"}
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local.dev"],
                cwd=project,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until(self._is_ready, "the world")

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.output.read_text()
        return "local.send" in self.output.read_text()


def ask(project: Path) -> str:
    command = [sys.executable, "-m", "local.send", "whatsapp", "hola, ¿a qué hora abren?"]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=DEADLINE, check=True).stdout


def processes_of(project: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(project) in f"{process.cwd()} {' '.join(process.cmdline())}":
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.pid != os.getpid()]


def test_a_conversation_a_sudden_death_a_second_start_and_an_end(project):
    first_port = free_run_of_ports()
    world = Running(project, first_port)
    assert "9 a 18" in ask(project)

    world.process.kill()
    world.process.wait()
    until(lambda: not processes_of(project), "the end of every process after kill -9")

    again = Running(project, first_port)
    assert "9 a 18" in ask(project)
    again.process.send_signal(signal.SIGTERM)
    assert again.process.wait(DEADLINE) == 0
    until(lambda: not processes_of(project), "the end of every process")
