"""What a warm webhook costs, what its guard alone costs, and what it does about abuse, beside the floor and the peers.

    .venv/bin/python bench/bench_guard.py [--rounds 40] [--write DATE]

CPU time of the subjects' processes, medians over the calls of all rounds; in a round each subject has twenty, one
subject after the other, so that what else the machine does falls on all alike. A call is one signed webhook of 4 KB
that nobody has seen. What is counted, and the peers: bench/README.md.
"""

import argparse
import contextlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.peers.abuse import abuse_table
from bench.peers.events import Event, body_of, event, fresh_id
from bench.peers.install import Folders, InstallError, prepare
from bench.peers.report import Table, publish
from bench.peers.subjects import (
    LEGEND,
    OURS,
    SUBJECTS,
    Process,
    Stuck,
    Subject,
    environment,
    fill_secrets,
    median,
    percentile,
)
from bench.peers.tokens import signed_token
from bench.peers.upstreams import Upstreams
from scripts.deployment.runtime import PackageError

BAR_WARM, BAR_FLOOR, BAR_ALONE, BAR_TOKEN, BAR_TRIPS, BAR_SECONDS = 600, 2.0, 100, 50, 2, 3.0
WARM_UP, CALLS_A_ROUND = 40, 20
NAMES = [subject.name for subject in SUBJECTS]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--write", metavar="DATE", help="keep the tables in docs/benchmarks/guard.md")
    options = parser.parse_args()
    try:
        folders = prepare()
    except (InstallError, PackageError) as error:
        print(f"Not measured: {error}", file=sys.stderr)
        return 1
    upstreams = Upstreams()
    fill_secrets(upstreams)
    tables = [
        warm(folders, upstreams, options.rounds),
        alone(folders, upstreams, options.rounds),
        token(folders, upstreams, options.rounds),
        hanging(folders, upstreams),
        abuse_table(folders, upstreams),
    ]
    upstreams.close()
    publish("Guard and webhook", LEGEND, tables, folders.python, options.write)
    return 0


def warm(folders: Folders, upstreams: Upstreams, rounds: int) -> Table:
    """An accepted webhook in a process that has served some, and the round trips of an accepted and a forged one."""
    cpu: dict[str, list[float]] = {name: [] for name in NAMES}
    wall: dict[str, list[float]] = {name: [] for name in NAMES}
    with contextlib.ExitStack() as stack:
        processes = {
            subject.name: stack.enter_context(Process(folders, subject.module, environment(upstreams)))
            for subject in SUBJECTS
        }
        for process in processes.values():
            process.loop(fresh_events(WARM_UP))
        for _ in range(rounds):
            for name, process in processes.items():
                upstreams.forget()
                measured = process.loop(fresh_events(CALLS_A_ROUND))
                accepted_all(name, measured["statuses"])
                cpu[name] += measured["cpu_us"]
                wall[name] += measured["wall_ms"]
        trips = {name: round_trips(process, upstreams) for name, process in processes.items()}
    table = Table(f"Warm: one accepted webhook of 4 KB ({CALLS_A_ROUND * rounds} calls each)", NAMES)
    p50 = {name: median(times) for name, times in cpu.items()}
    table.row(
        "CPU p50, µs",
        [f"{value:.0f}" for value in p50.values()],
        f"<= {BAR_WARM}",
        p50["ours"] <= BAR_WARM,
    )
    table.row(
        "CPU p50, in floors",
        [f"{value / p50['floor']:.1f}x" for value in p50.values()],
        f"<= {BAR_FLOOR:.0f}x",
        p50["ours"] / p50["floor"] <= BAR_FLOOR,
    )
    table.row("CPU p99, µs", [f"{percentile(times, 0.99):.0f}" for times in cpu.values()])
    table.row("wall p50 / p99, ms", [f"{median(t):.1f} / {percentile(t, 0.99):.1f}" for t in wall.values()])
    accepted, forged = trips["ours"]
    table.row(
        "round trips, accepted / forged",
        [f"{a} / {f}" for a, f in trips.values()],
        f"<= {BAR_TRIPS} / 0",
        accepted <= BAR_TRIPS and forged == 0,
    )
    return table


def alone(folders: Folders, upstreams: Upstreams, rounds: int) -> Table:
    """The guard without any call to anybody."""
    whole: dict[str, list[float]] = {name: [] for name in NAMES}
    to_body: list[float] = []
    with contextlib.ExitStack() as stack:
        processes = {
            subject: stack.enter_context(Process(folders, subject.alone[0], environment(upstreams)))
            for subject in SUBJECTS
        }
        for subject, process in processes.items():
            process.loop(fresh_events(WARM_UP), subject.alone[1])
        for _ in range(rounds):
            for subject, process in processes.items():
                measured = process.loop(fresh_events(CALLS_A_ROUND), subject.alone[1])
                accepted_all(subject.name, measured["statuses"])
                whole[subject.name] += measured["cpu_us"]
            to_body += processes[OURS].to_body(fresh_events(CALLS_A_ROUND))
    table = Table("The guard alone: 4 KB, HMAC, no network", NAMES)
    entry = median(to_body)
    table.row(
        "from the event to the handler's body, CPU p50, µs",
        [f"{entry:.0f}" if name == "ours" else "-" for name in NAMES],
        f"<= {BAR_ALONE}",
        entry <= BAR_ALONE,
    )
    table.row(
        "to the answer (parse, log line, render), CPU p50, µs", [f"{median(times):.0f}" for times in whole.values()]
    )
    return table


def token(folders: Folders, upstreams: Upstreams, rounds: int) -> Table:
    """A person's ES256 token with the key in the cache, beside the bare verification of its signature."""
    text, key = signed_token(f"{upstreams.url}/auth/v1")
    upstreams.keys = [key]
    call = event(b"{}", {"authorization": f"Bearer {text}"}, path="/app/guard_alone")
    guarded: list[float] = []
    bare: list[float] = []
    with Process(folders, "app_guard_alone", environment(upstreams)) as process:
        first = process.call(call)
        if first["status"] != 200:
            raise RuntimeError(f"the guard did not pass a good token: {first['answer']}")
        process.to_body([call] * WARM_UP)
        for _ in range(rounds):
            guarded += process.to_body([call] * CALLS_A_ROUND)
            bare += process.verify(CALLS_A_ROUND, text, key)
    over = median(guarded) - median(bare)
    table = Table("A signed-in person: ES256, key in the cache", ["bare verification", "guard, event to body", "over"])
    table.row(
        "CPU p50, µs",
        [f"{median(bare):.0f}", f"{median(guarded):.0f}", f"{over:.0f}"],
        f"over <= {BAR_TOKEN}",
        over <= BAR_TOKEN,
    )
    return table


def hanging(folders: Folders, upstreams: Upstreams) -> Table:
    """Seconds to the answer while something takes calls and never answers."""
    table = Table("Something hangs: seconds to the answer, and its status", NAMES)
    for what, services in (
        ("the store", ("database", "idempotency")),
        ("the queue", ("queue",)),
        ("the rate limiter's store", ("rate",)),
        ("the secrets' store, cold", ("secrets",)),
        ("everything, cold", ("database", "idempotency", "queue", "rate", "secrets")),
    ):
        cells = [hang(folders, upstreams, subject, services) for subject in SUBJECTS]
        ours = cells[NAMES.index("ours")]
        table.row(what, [told for _, told in cells], f"<= {BAR_SECONDS:.0f} s", ours[0] <= BAR_SECONDS)
    return table


def hang(folders: Folders, upstreams: Upstreams, subject: Subject, services: tuple[str, ...]) -> tuple[float, str]:
    """Seconds, and how to print them. The process is warm unless its secrets are what hangs."""
    upstreams.forget()
    with Process(folders, subject.module, environment(upstreams)) as process:
        if "secrets" not in services:
            process.call(event(body_of(fresh_id())))
        with upstreams.trouble(hanging=services):
            try:
                answer = process.call(event(body_of(fresh_id())))
            except Stuck:
                return float("inf"), "none in 5 s"
    return answer["wall_ms"] / 1000, f"{answer['wall_ms'] / 1000:.1f} ({answer['status']})"


def round_trips(process: Process, upstreams: Upstreams) -> tuple[int, int]:
    """Calls to anybody for one accepted and for one forged webhook, of a warm process."""
    counted = []
    good, forged = event(body_of(fresh_id())), event(body_of(fresh_id()), {"x-hub-signature-256": "sha256=" + "0" * 64})
    for one in (good, forged):
        upstreams.calls.clear()
        process.call(one)
        counted.append(sum(upstreams.calls.values()))
    return counted[0], counted[1]


def accepted_all(name: str, statuses: list[float]) -> None:
    """Raises RuntimeError unless every call was accepted: what is refused costs less."""
    if set(statuses) != {200}:
        raise RuntimeError(f"{name} did not accept good webhooks: {sorted(set(statuses))}")


def fresh_events(count: int) -> list[Event]:
    """Signed webhooks that nobody has seen."""
    return [event(body_of(fresh_id())) for _ in range(count)]


if __name__ == "__main__":
    sys.exit(main())
