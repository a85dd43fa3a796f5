"""The supervisor starts in order, names what dies, restarts it, and leaves nothing behind."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from starlette.applications import Starlette

from local import supervisor
from local.serve import serve
from local.supervisor import Component, Supervisor, WorldError, answers

PROJECT = Path(__file__).resolve().parents[2]
NEVER = threading.Event()

PARENT = """
import sys, threading
from pathlib import Path
from local.supervisor import Component, Supervisor
child = "import os, time; from local.serve import end_with_parent; end_with_parent(lambda: os._exit(0)); time.sleep(99)"
world = Supervisor([Component("child", (sys.executable, "-c", child), lambda: True)], Path(sys.argv[1]), print)
world.start(threading.Event())
print(world._running["child"].process.pid, flush=True)
world.watch(threading.Event())
"""


def _shell(name: str, script: str, ready: Callable[[], bool] | None = lambda: True, *after: str) -> Component:
    """A component that lives until its input ends, if its script ends in `cat`."""
    return Component(name, ("/bin/sh", "-c", script), ready, after)


@contextlib.contextmanager
def _world(folder: Path, *components: Component, **options: float) -> Iterator[tuple[Supervisor, list[str]]]:
    said: list[str] = []
    world = Supervisor(components, folder / "logs", said.append, **options)  # type: ignore[arg-type]
    try:
        yield world, said
    finally:
        world.stop()


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def test_starts_in_the_order_of_needs_and_ends_together(tmp_path: Path) -> None:
    order = tmp_path / "order"
    database = _shell("database", f"sleep 0.1; echo database >> '{order}'; cat", lambda: order.exists())
    job = _shell("job", f"echo job >> '{order}'", None, "database")
    server = _shell("server", f"echo server >> '{order}'; cat", lambda: "server" in order.read_text(), "job")
    launched: dict[str, int] = {}
    world = Supervisor([server, job, database], tmp_path / "logs", print, on_launch=launched.update)
    try:
        assert world.start(NEVER)
        assert order.read_text().split() == ["database", "job", "server"]
        assert psutil.pid_exists(launched["server"])
    finally:
        world.stop()
    assert not any(psutil.pid_exists(pid) for name, pid in launched.items() if name != "job")


def test_a_component_that_fails_at_the_start_is_explained(tmp_path: Path) -> None:
    broken = _shell("database", "echo cannot find the data; exit 3", lambda: False)
    expected = r"(?s)database ended with exit code 3 while starting.*database\.log:\n    cannot find the data"
    with _world(tmp_path, broken) as (world, _), pytest.raises(WorldError, match=expected):
        world.start(NEVER)


def test_a_failing_job_ends_the_start(tmp_path: Path) -> None:
    with _world(tmp_path, _shell("seed", "exit 1", None)) as (world, _), pytest.raises(WorldError, match="seed ended"):
        world.start(NEVER)


def test_a_component_that_is_never_ready_is_named(tmp_path: Path) -> None:
    slow = _shell("database", "cat", lambda: False)
    with (
        _world(tmp_path, slow, start_seconds=0.1) as (world, _),
        pytest.raises(WorldError, match=r"Not ready after 0 s: database\. It wrote nothing"),
    ):
        world.start(NEVER)


def test_stopping_during_the_start_is_no_error(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with _world(tmp_path, _shell("database", "cat", lambda: False)) as (world, _):
        assert not world.start(stop)


def test_what_dies_is_named_and_restarted_and_at_last_everything_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "WATCH_TICK", 0.01)
    starts = tmp_path / "starts"
    pids: list[int] = []
    dying = _shell("model", f"echo out of memory; echo >> '{starts}'; cat", starts.exists)
    with _world(tmp_path, dying, restarts=2) as (world, said):
        assert world.start(NEVER)
        killer = threading.Thread(target=_kill_each_start, args=(world, starts, pids))
        killer.start()
        with pytest.raises(WorldError, match="model has died 3 times"):
            world.watch(NEVER)
        killer.join()
    assert len(set(pids)) == 3
    assert [sentence for sentence in said if sentence == "Restarting model."] == ["Restarting model."] * 2
    assert "model was killed by SIGKILL." in said[0]
    assert "    out of memory" in said[0]


def _kill_each_start(world: Supervisor, starts: Path, pids: list[int]) -> None:
    for number in range(1, 4):
        _wait_until(lambda number=number: len(starts.read_text()) == number)  # type: ignore[misc]
        # It writes its line before the supervisor has written down that it runs.
        _wait_until(lambda: world._running["model"].process.pid not in pids)
        pids.append(world._running["model"].process.pid)
        os.kill(pids[-1], signal.SIGKILL)


def test_a_process_that_does_not_want_to_end_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STOP_GRACE", 0.2)
    child = tmp_path / "child"
    script = f"trap '' TERM; sleep 98 & echo $! > '{child}'; while true; do sleep 1; done"
    with _world(tmp_path, _shell("stubborn", script, lambda: child.exists() and child.read_text() != "")) as (world, _):
        assert world.start(NEVER)
    _wait_until(lambda: not _is_alive(int(child.read_text())))


def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert _is_alive(child)
    finally:
        parent.kill()
        parent.communicate()
    _wait_until(lambda: not _is_alive(child))


def _is_alive(process_id: int) -> bool:
    try:
        return psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_an_address_answers_or_not() -> None:
    with serve(Starlette()) as url:
        assert answers(url)()
    assert not answers(url)()
