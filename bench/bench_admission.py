"""What an admission costs and what it lets be overspent, beside check-then-charge, LiteLLM and upstash-ratelimit.

    .venv/bin/python bench/bench_admission.py

A real Redis server and, for what speaks REST, the offline world's bridge before it. The script is asked for four
rates, four scopes and a breaker. Times of the script are the server's own (INFO commandstats) under load, the best of
the medians that a noisy machine gives. What is counted: bench/README.md.
"""

import argparse
import asyncio
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.admission import races
from bench.peers.report import Table, machine
from local import redis_server
from local.serve import serve
from local.upstash import application
from shared.abuse import admission
from shared.abuse.admission import Account, Want
from shared.abuse.allowance import Allowance
from shared.clock import Deadline
from shared.cloud import upstash
from shared.data.budget_rows import BudgetFacts
from tests.shared.abuse import asking
from tests.shared.abuse.asking import Budget, Store

HERE = Path(__file__).resolve().parent / "admission"
PEERS = HERE / ".peers"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks" / "admission.md"
HEAD = """# What an admission costs, and what it lets be overspent

`make bench-admission` prints these tables; what is counted: `bench/README.md`. Times of other machines or days do not
compare, ratios do.
"""
TOKEN = "token-of-the-bench"
NOW = races.NOW
BATCHES, BATCH = 40, 200
RATES = tuple((f"r:{name}", 1_000_000, 60) for name in "abcd")
SCOPES = tuple(Budget("t", f"u:{name}:day:x", "d", 10**12) for name in ("tenant:", "contact:1", "channel:1"))
PLATFORM, OWN = Budget("p", "u:platform::day:x", "d", 10**12), Budget("t", "u:member:1:day:x", "d", 10**12)
FACTS = BudgetFacts(
    tenant=str(uuid.uuid4()), time_zone="America/Sao_Paulo", version=1, epoch=1, seq=0,
    limits={f"{scope}.day.ai_microdollars": 10**9 for scope in ("tenant", "contact", "channel")},
    providers={"model": {"version": 1, "epoch": 1, "limits": {"platform.day.ai_microdollars": 10**9}}},
)  # fmt: skip


def main() -> int:
    """Measure all, print the tables, and keep them as a page when there is a date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--date", help="keep the tables in docs/benchmarks/admission.md, as of this day")
    date = parser.parse_args().date
    _install()
    with tempfile.TemporaryDirectory() as folder, redis_server.running(Path(folder)) as server:
        client = redis.Redis.from_url(server.url, decode_responses=True)
        with serve(application(TOKEN, server.url)) as bridge:
            version = client.info()["redis_version"]
            cost = _cost(client, server.port, bridge)
            tables = [_overspend(server.url, bridge), cost]
    print("\n\n".join(table.text() for table in tables))
    if date is not None:
        about = f"{HEAD}\n{date}, {machine(Path(sys.executable))}, Redis {version}.\n"
        PAGE.write_text("\n".join([about, *(f"{table.markdown()}\n" for table in tables)]))
    return 0


def _overspend(url: str, bridge: str) -> Table:
    table = Table(
        f"{races.WORKERS} workers at one budget of {races.LIMIT:,}; a call costs {races.LEAST} to {races.DEAREST:,}",
        ["spent", "overspent", "used, %", "held at the end", "calls/s"],
    )

    async def litellm() -> races.Race:
        return races.litellm_budget_manager(PEERS)

    rows: dict[str, Callable[[], Any]] = {
        "ours": lambda: races.ours(url),
        "check, then charge": lambda: races.check_then_charge(url),
        "LiteLLM, BudgetManager": litellm,
        "upstash-ratelimit, charged after": lambda: races.upstash_ratelimit(bridge, TOKEN, PEERS, before=False),
        "upstash-ratelimit, the dearest before": lambda: races.upstash_ratelimit(bridge, TOKEN, PEERS, before=True),
    }
    for name, run in rows.items():
        print(f"racing: {name}", file=sys.stderr)
        race = asyncio.run(run())
        over = max(0, race.spent - races.LIMIT)
        share = min(race.spent, races.LIMIT) * 100 / races.LIMIT
        cells = [f"{race.spent:,}", f"{over:,}", f"{share:.2f}", f"{race.held}", f"{race.calls / race.seconds:.0f}"]
        is_ours = name == "ours"
        bar, met = ("0 over, >= 99.5 %", over == 0 and share >= 99.5) if is_ours else ("", None)
        table.row(name, cells, bar, met)
    return table


def _cost(client: redis.Redis, port: int, bridge: str) -> Table:
    table = Table("One admission with four rates, four scopes and a breaker", ["measured"])
    for name, provider, most in (("the tenant's hash", None, 8), ("with the provider's hash", "model", 12)):
        admit, settle, commands = _server_time(client, port, provider)
        table.row(f"server time to admit, µs, {name}", [f"{admit:.1f}"], "<= 60", admit <= 60)
        table.row(f"server time to settle, µs, {name}", [f"{settle:.1f}"], "<= 60", settle <= 60)
        table.row(f"commands billed for both, {name}", [f"{commands:.0f}"], f"<= {most}", commands <= most)
    table.row("an empty script with as many arguments, µs", [f"{_floor(client):.1f}"])
    rate = _throughput(client, port)
    table.row("admissions a second by one connection", [f"{rate:,.0f}"], ">= 5,000", rate >= 5000)
    own = _python()
    table.row("Python's own part of an admission, µs", [f"{own:.1f}"], "<= 80", own <= 80)
    direct, rest = _round_trip(client, bridge)
    table.row("a round trip to Redis, µs", [f"{direct:.0f}"])
    table.row("a round trip through the REST bridge, µs", [f"{rest:.0f}"])
    return table


def _wants(provider: str | None, count: int) -> list[asking.Want]:
    budgets = (*SCOPES, PLATFORM if provider else OWN)
    breakers = (("p", "b:chat"),) if provider else ()
    return [
        asking.Want(str(uuid.uuid4()), NOW, 60, ((10, 100),), RATES, budgets, breakers, provider=provider)
        for _ in range(count)
    ]


def _server_time(client: redis.Redis, port: int, provider: str | None) -> tuple[float, float, float]:
    """Microseconds of the server to admit and to settle, and the commands of both."""
    client.flushall()
    Store(client).open(NOW)
    recorder = _Recorder(client)
    admit, settle, commands = [], [], []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(BATCHES):
            wants = _wants(provider, BATCH)
            client.config_resetstat()
            _send(connection, [recorder.admission(want) for want in wants], b"admitted")
            admitted = client.info("commandstats")
            client.config_resetstat()
            _send(connection, [recorder.settlement(want) for want in wants], b"settled")
            settled = client.info("commandstats")
            admit.append(admitted["cmdstat_evalsha"]["usec_per_call"])
            settle.append(settled["cmdstat_evalsha"]["usec_per_call"])
            commands.append((_counted(admitted) + _counted(settled)) / BATCH)
    return min(_medians(admit)), min(_medians(settle)), statistics.median(commands)


def _counted(stats: dict[str, Any]) -> int:
    return sum(entry["calls"] for name, entry in stats.items() if name not in ("cmdstat_config", "cmdstat_info"))


def _send(connection: socket.socket, commands: list[bytes], word: bytes) -> None:
    """All at once, and until as many answers hold the word."""
    connection.sendall(b"".join(commands))
    answered = b""
    while answered.count(word) < len(commands):
        answered += connection.recv(1 << 20)
        assert b"denied" not in answered
        assert b"-ERR" not in answered


def _medians(values: list[float]) -> list[float]:
    """Of ten at a time."""
    return [statistics.median(values[first : first + 10]) for first in range(0, len(values), 10)]


def _floor(client: redis.Redis) -> float:
    empty = client.register_script("return 1")
    found = []
    for _ in range(BATCHES):
        client.config_resetstat()
        for _ in range(BATCH):
            empty(keys=["a", "b", "c"], args=["x"] * 64)
        found.append(client.info("commandstats")["cmdstat_evalsha"]["usec_per_call"])
    return min(_medians(found))


class _Recorder(Store):
    """What a store would be asked, ready-made for the socket, so that no client's work is counted."""

    def __init__(self, client: redis.Redis) -> None:
        self.sha = client.script_load(admission.script().text.partition("\n")[2])
        self.command = b""

    def run(self, keys: Any, arguments: Any) -> list[Any]:
        words = [str(word).encode() for word in ("EVALSHA", self.sha, len(keys), *keys, *arguments)]
        self.command = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        return []

    def admission(self, want: asking.Want) -> bytes:
        self.admit(want)
        return self.command

    def settlement(self, want: asking.Want) -> bytes:
        self.settle(want, [50], NOW)
        return self.command


def _throughput(client: redis.Redis, port: int) -> float:
    """Admissions a second of one connection, a hundred on their way at a time."""
    best = 0.0
    for _ in range(5):
        client.flushall()
        Store(client).open(NOW)
        recorder = _Recorder(client)
        commands = [recorder.admission(want) for want in _wants("model", 5000)]
        with socket.create_connection(("127.0.0.1", port)) as connection:
            begun = time.perf_counter()
            for first in range(0, 5000, 100):
                _send(connection, commands[first : first + 100], b"admitted")
            best = max(best, 5000 / (time.perf_counter() - begun))
    return best


class _Request:
    allowance = Allowance("queue_reply", ("ai",), (("contact", 12, 60), ("tenant", 240, 60)), "degrade")
    deadline = Deadline(3600)


def _python() -> float:
    """Microseconds to build the arguments, read the answer and make the grant, without the network."""
    want = Want("model", {"ai_microdollars": (100, 4000)}, contact="c", channel="n", breakers=("chat:m",))
    answer = ["admitted", 1, 1, 2, 4000, 1, *[9] * 6]
    asked, admission.run_script = admission.run_script, lambda *_: list(answer)
    try:
        account, found = Account(FACTS, None), []  # type: ignore[arg-type]
        for _ in range(200):
            begun = time.perf_counter()
            for _ in range(50):
                admission.admit(_Request(), account, want)
            found.append((time.perf_counter() - begun) / 50 * 1e6)
    finally:
        admission.run_script = asked
    return statistics.median(found)


def _round_trip(client: redis.Redis, bridge: str) -> tuple[float, float]:
    import os

    os.environ["UPSTASH_REDIS_REST_URL"] = bridge
    upstash.current = lambda secret: TOKEN  # type: ignore[assignment]
    times = []
    for ask in (client.ping, lambda: upstash.run(["PING"], Deadline(5))):
        found = []
        for _ in range(500):
            begun = time.perf_counter()
            ask()
            found.append((time.perf_counter() - begun) * 1e6)
        times.append(statistics.median(found))
    return times[0], times[1]


def _install() -> None:
    wanted, installed = (HERE / "requirements.txt").read_bytes(), PEERS / "requirements.txt"
    if installed.is_file() and installed.read_bytes() == wanted:
        return
    shutil.rmtree(PEERS, ignore_errors=True)
    print("bench: installing LiteLLM and upstash-ratelimit, once", file=sys.stderr)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    command = [*pip, "--require-hashes", "--target", str(PEERS), "-r", str(HERE / "requirements.txt")]
    subprocess.run(command, stdout=sys.stderr, check=True)
    installed.write_bytes(wanted)


if __name__ == "__main__":
    sys.exit(main())
