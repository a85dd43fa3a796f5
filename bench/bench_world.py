"""How long the offline world takes to start, a turn takes in it, and how much memory it holds.

    .venv/bin/python bench/bench_world.py [--turns 40]

Starts the world of this folder (none may be running) and stops it again. A turn is measured from the signed POST to
the message that Meta's simulator accepts, and to its status "delivered" kept in the database. Beside it, as the bare
limit of the same run: the round trip of public_health through the same gateway. Memory is the proportional set size
(shared pages counted once) of the supervisor and all its children, with the resident size beside it.
"""

import argparse
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import httpx  # noqa: E402
import psutil  # noqa: E402
import psycopg  # noqa: E402

from local.parts import DATABASE, PLAN_FILE, cluster_of  # noqa: E402
from local.payloads import Customer  # noqa: E402
from local.plan import Plan, load  # noqa: E402
from local.seed import Owner, as_owner, sign_in  # noqa: E402
from local.send import send, wait_for_answer  # noqa: E402

QUESTIONS = ("hola, ¿a qué hora abren?", "quanto custa a caneca?", "¿hacen envíos?", "¿puedo pagar en cuotas?")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=40)
    turns = parser.parse_args().turns
    began = time.perf_counter()
    world = subprocess.Popen([sys.executable, "-m", "local.dev"], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    try:
        assert world.stdout is not None
        if not any("local.send" in line for line in world.stdout):
            print("The world did not start; is one running already?", file=sys.stderr)
            return 1
        started = time.perf_counter() - began
        plan = load(PLAN_FILE)
        assert plan is not None
        with psycopg.connect(cluster_of(plan).dsn(database=DATABASE), autocommit=True) as admin:
            # A turn's own time: the shop's quiet period is the customer's.
            admin.execute("update tenants set quiet_seconds = 0")
        first = turn(plan, sign_in(plan), 0)
        answered = time.perf_counter() - began
        owner = sign_in(plan)
        measured = [turn(plan, owner, number) for number in range(1, turns + 1)]
        with httpx.Client() as client:
            bare = [round_trip(client, plan) for _ in range(turns)]
        proportional, resident = memory(world.pid)
    finally:
        world.send_signal(signal.SIGINT)
        world.wait()
    accepted, delivered = zip(*measured, strict=True)
    print(f"{'start to ready':<34} {started:8.2f} s")
    print(f"{'start to the first answer':<34} {answered:8.2f} s   (its turn: {first[0]:.0f} ms)")
    row("turn, to Meta accepting", accepted)
    row("turn, to delivered", delivered)
    row("bare gateway (public_health)", bare)
    print(f"{'memory, proportional / resident':<34} {proportional:8.0f} MB {resident:6.0f} MB")
    return 0


def turn(plan: Plan, owner: Owner, number: int) -> tuple[float, float]:
    """Milliseconds from the signed POST to acceptance and to delivery. Every turn is another customer's."""
    customer = Customer(name="Ana", phone=str(5491100000000 + time.time_ns() // 1000 % 100_000_000))
    sent = send(plan, "whatsapp", QUESTIONS[number % len(QUESTIONS)], customer=customer)
    answer = wait_for_answer(plan, sent)
    assert answer is not None, "no answer within 30 s"
    timeline = as_owner(plan, owner).from_("timeline").select("reply_status").eq("provider_id", sent.message_id)
    while timeline.execute().data[0]["reply_status"] not in ("delivered", "read"):
        time.sleep(0.002)
    return (answer.time - sent.time) * 1000, (time.time() - sent.time) * 1000


def round_trip(client: httpx.Client, plan: Plan) -> float:
    began = time.perf_counter()
    client.get(f"{plan.url('gateway')}/public/health").raise_for_status()
    return (time.perf_counter() - began) * 1000


def memory(pid: int) -> tuple[float, float]:
    """Megabytes of a process and its descendants."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    sizes = [process.memory_full_info() for process in family]
    return sum(size.pss for size in sizes) / 1e6, sum(size.rss for size in sizes) / 1e6


def row(name: str, milliseconds: list[float] | tuple[float, ...]) -> None:
    ordered = sorted(milliseconds)
    p95 = ordered[int(len(ordered) * 0.95)]
    print(f"{name:<34} {statistics.median(ordered):8.1f} ms p50 {p95:8.1f} ms p95   (n={len(ordered)})")


if __name__ == "__main__":
    sys.exit(main())
