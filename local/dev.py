"""`make dev`: the whole offline world, from nothing to a printed address, until Ctrl-C.

The plan (addresses and keys) and the data stay in .local/, so that the next start is quick and finds everything again.
"""

import contextlib
import fcntl
import json
import os
import pwd
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from local import environment
from local.parts import LOGS, PLAN_FILE, READY
from local.plan import PARTS, PROJECT, STATE, Plan, load, make_master_keys, plan_with_first_port, save
from local.ports import describe_listener, is_free
from local.postgres_install import unprivileged_account
from local.supervisor import Component, Supervisor, WorldError, answers

PORT_VARIABLE = "PORTERO_PORT"
PROCESSES = STATE / "processes.json"
LEFTOVER_SECONDS = 10.0
PARENT_TICK = 0.2  # seconds
SEED = ".venv/bin/python -m local.parts seed"
FIRST_MESSAGE = '.venv/bin/python -m local.send whatsapp "hola, ¿a qué hora abren?"'


def main() -> int:
    """Run the world; the exit code: 0 after Ctrl-C, 1 when it could not start or go on, 2 for a wrong setting."""
    began = time.monotonic()
    os.chdir(PROJECT)
    stop = _stop_event()
    try:
        plan = make_plan(PLAN_FILE, os.environ)
        with _only_one():
            _await_leftovers()
            check_ports(plan, _parts_in_use(os.environ))
            shutil.rmtree(READY, ignore_errors=True)
            READY.mkdir()
            save(plan, PLAN_FILE)
            make_master_keys(plan.master_keys)
            _run(plan, stop, began)
    except SettingError as error:
        say(str(error))
        return 2
    except WorldError as error:
        say(str(error))
        return 1
    return 0


class SettingError(ValueError):
    """An environment variable that cannot be used; the message says which and why."""


def make_plan(path: Path, environ: Mapping[str, str]) -> Plan:
    """The plan kept at `path` or a fresh one, on the ports that PORTERO_PORT wishes. Raises SettingError."""
    missing = environment.missing_names(environ)
    if missing:
        raise SettingError(f"An address from outside is set, but not {' and '.join(missing)}, which it needs.")
    kept = load(path)
    wished = environ.get(PORT_VARIABLE)
    if wished is None:
        return kept or plan_with_first_port()
    if not wished.isdecimal() or not 1024 <= int(wished) <= 65535 - len(PARTS):
        raise SettingError(f"{PORT_VARIABLE}={wished} is no port number from 1024 to {65535 - len(PARTS)}.")
    plan = plan_with_first_port(int(wished))
    return replace(kept, ports=plan.ports) if kept else plan


def check_ports(plan: Plan, parts: list[str]) -> None:
    """Raises WorldError when another program listens where a part of the world wants to."""
    busy = [part for part in parts if not is_free(plan.ports[part])]
    if busy:
        port = plan.ports[busy[0]]
        raise WorldError(
            f"Port {port}, wanted for {busy[0]}, is in use{describe_listener(port)}. "
            f"Stop that program, or choose other ports: {PORT_VARIABLE}={9700 if port < 9700 else 8700} make dev"
        )


def components(plan: Plan, environ: Mapping[str, str]) -> list[Component]:
    """The processes of the world and what each waits for."""

    def part(name: str, *, ready_file: bool = False, after: tuple[str, ...] = (), listens: str = "") -> Component:
        ready = (READY / name).exists if ready_file else answers(plan.url(listens or name))
        return Component(name, (sys.executable, "-m", "local.parts", name), ready, after)

    world = [
        part("aws", ready_file=True),
        part("simulators", listens="meta"),
        part("gateway", after=("aws",)),
    ]
    if environ.get("SUPABASE_URL"):
        # Somebody's real project: nothing is migrated and no account is made there without being asked.
        return world
    database = [part("postgres", ready_file=True), part("supabase", after=("postgres",))]
    needs = [component.name for component in (*database, *world)]
    seed = Component("seed", (sys.executable, "-m", "local.parts", "seed"), None, after=needs)
    return [*database, *world, seed]


def say(sentence: str) -> None:
    """Tell the person at the terminal, who may have gone."""
    with contextlib.suppress(OSError):
        print(sentence, flush=True)


def _run(plan: Plan, stop: threading.Event, began: float) -> None:
    supervisor = Supervisor(components(plan, os.environ), LOGS, say, on_launch=_remember)
    try:
        say("Starting the offline world.")
        if os.geteuid() == 0 and not os.environ.get("SUPABASE_URL"):
            account = pwd.getpwuid(unprivileged_account().user).pw_name
            say(f"This is a root shell: PostgreSQL refuses to run as root, so it runs as {account}.")
        if supervisor.start(stop):
            say(_welcome(plan, os.environ, time.monotonic() - began))
            supervisor.watch(stop)
        say("\nStopping the world.")
    finally:
        supervisor.stop()
        PROCESSES.unlink(missing_ok=True)


def _welcome(plan: Plan, environ: Mapping[str, str], seconds: float) -> str:
    lines = [f"The world is up after {seconds:.1f} s. Ctrl-C stops it; .local/ keeps its data."]
    for part in PARTS:
        address = plan.url(part).replace("http", "postgresql") if part == "postgres" else plan.url(part)
        outside = {"supabase": "SUPABASE_URL", "postgres": "SUPABASE_URL", "model": "AI_BASE_URL"}.get(part, "")
        if environ.get(outside):
            address = f"not used: {outside} is {environ[outside]}"
        lines.append(f"  {part:10} {address}")
    lines.append(f"  {'logs':10} .local/logs/")
    if environ.get("SUPABASE_URL"):
        lines.append(
            f"Your own project was neither migrated nor seeded. The demo shop, if you want it there:\n  {SEED}"
        )
    lines.append(f"Write as a customer, in another terminal:\n  {FIRST_MESSAGE}")
    return "\n".join(lines)


def _parts_in_use(environ: Mapping[str, str]) -> list[str]:
    return [part for part in PARTS if not (environ.get("SUPABASE_URL") and part in ("supabase", "postgres"))]


def _stop_event() -> threading.Event:
    """An event that is set by Ctrl-C, by a signal that ends us, or when the `make` that started us has gone."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP, and means it
            signal.signal(number, lambda *_: stop.set())
    parent = os.getppid()

    def watch_parent() -> None:
        while not stop.wait(PARENT_TICK):
            if os.getppid() != parent:
                stop.set()

    threading.Thread(target=watch_parent, name="watch parent", daemon=True).start()
    return stop


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    """Raises WorldError when a world already runs from this folder."""
    STATE.mkdir(exist_ok=True)
    # PostgreSQL of a root shell runs under another account, which has to pass through to its own data.
    STATE.chmod(0o711 if os.geteuid() == 0 else 0o700)
    LOGS.mkdir(mode=0o700, exist_ok=True)
    with (STATE / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorldError("The world is already running from this folder; stop it with Ctrl-C there.") from None
        yield


def _remember(process_ids: Mapping[str, int]) -> None:
    PROCESSES.write_text(json.dumps(process_ids))


def _await_leftovers() -> None:
    """Wait for the processes of a world that was killed: they notice by themselves. Kill the one that does not."""
    try:
        process_ids = json.loads(PROCESSES.read_text()).values()
    except (FileNotFoundError, ValueError):
        return
    import psutil

    leftovers = []
    for process_id in process_ids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(process_id)
            # The number may belong to somebody else by now.
            if "local.parts" in process.cmdline() and Path(process.cwd()) == PROJECT:
                leftovers.append(process)
    if leftovers:
        say("Waiting for the processes of a world that was killed.")
    _, stubborn = psutil.wait_procs(leftovers, timeout=LEFTOVER_SECONDS)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    PROCESSES.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
