"""From a message to its answer: what the suite itself takes, with the local database, store and queues.

    .venv/bin/python bench/bench_conversation.py [--date 2026-11-26]

Intake is measured from the signed request to its 200, beside public_health through the same gateway, and what of it is
waiting for the database (PostgreSQL behind an emulator of Supabase's API) and for the queue (moto). A turn is the call
of queue_reply without what it waits for the model; its questions to the database and to Redis are counted. Everything,
the emulators too, shares one process and two cores: a real database is nearer or farther, a real gateway is quicker.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import logging  # noqa: E402

from bench.peers.report import Table, machine  # noqa: E402
from local import payloads  # noqa: E402
from local.in_process import InProcess  # noqa: E402
from local.payloads import Customer, message, text, whatsapp, whatsapp_message  # noqa: E402
from local.world import World, running_world  # noqa: E402
from shared.cloud import transport  # noqa: E402
from tests.faults.line import Line, in_call, line  # noqa: E402

PAGE = PROJECT / "docs" / "benchmarks" / "conversation.md"
QUESTIONS = ("hola, ¿a qué hora abren?", "quanto custa a caneca?", "¿hacen envíos?", "¿puedo pagar en cuotas?")
ONE_BY_ONE, TURNS, LARGE, SUSTAINED_SECONDS = 300, 100, 7, 60


class Watched(Line):
    """Where the time of a call goes: seconds by the kind of step."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.seconds: Counter[str] = Counter()

    def over(self, url: str, body: bytes, send: Any, *errors: Exception) -> Any:
        """One request, timed."""
        before, began = len(self.taken), time.perf_counter()
        try:
            return super().over(url, body, send, *errors)
        finally:
            if in_call.get() and len(self.taken) > before:
                self.seconds[self.taken[-1]] += time.perf_counter() - began


def main() -> int:
    """Measure, print, and with a date keep the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--date", help="keep the tables in docs/benchmarks/conversation.md, as of this day")
    date = parser.parse_args().date
    logging.disable(logging.ERROR)
    with running_world() as world:
        world.reset()
        tables = [_intake(world), _sustained(world), _turns(world)]
    for table in tables:
        print(table.text(), end="\n\n")
    if date:
        head = f"# From a message to its answer\n\n`make bench-conversation`, {date}; {machine(Path(sys.executable))}."
        legend = (__doc__ or "").partition("\n\n")[2].partition("\n\n")[2].strip()
        PAGE.write_text("\n\n".join([head, legend, *(table.markdown() for table in tables)]) + "\n", encoding="utf-8")
    return 0


def _intake(world: World) -> Table:
    table = Table("Intake, from the signed request to its 200", ["whole", "database", "queue", "ours and the gateway"])
    with line(world, Watched) as watched:
        assert isinstance(watched, Watched)
        small = [_delivered(world, watched, [_customer(number)]) for number in range(ONE_BY_ONE)]
        large = [
            _delivered(world, watched, [_customer(10_000 + 1000 * number + place) for place in range(1000)])
            for number in range(LARGE)
        ]
    bare = [_milliseconds(lambda: world.call("GET", "/public/health")) for _ in range(30)]
    for name, share, bar in (("p50", 0.5, 15), ("p99", 0.99, 60)):
        _row(table, f"one text message, ms {name}", small, share, bar)
    table.row("public_health through the same gateway, ms p50", [f"{_at(bare, 0.5):.1f}", "-", "-", "-"])
    _row(table, "a body of 1,000 messages, ms p50", large, 0.5, 400)
    return table


def _sustained(world: World) -> Table:
    """One sender: what the thread of the handler computes, apart from those of the emulators."""
    table = Table(f"Webhooks for {SUSTAINED_SECONDS} s", ["measured"])
    own: list[float] = []
    anew: list[float] = []
    call, connect = InProcess._call, transport._connect

    def timed(functions: InProcess, function: str, body: bytes) -> Any:
        began = time.thread_time()
        try:
            return call(functions, function, body)
        finally:
            own.append(time.thread_time() - began)

    def connected(*arguments: Any) -> Any:
        began = time.thread_time()
        try:
            return connect(*arguments)
        finally:
            anew.append(time.thread_time() - began)

    number, cpu, began = 0, time.process_time(), time.perf_counter()
    with patch.object(InProcess, "_call", timed), patch.object(transport, "_connect", connected):
        while time.perf_counter() - began < SUSTAINED_SECONDS:
            if number % 20 == 0:
                _make_room(world)
            assert _deliver(world, _encoded([_customer(50_000 + number)])).status_code == 200
            number += 1
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    [kept] = world.rows("select count(*) as count from contacts where phone >= '54912050000'")
    lost, ours = number - kept["count"], sum(own) / number
    table.row("a second, one sender", [f"{number / seconds:.0f}"], ">= 300", number / seconds >= 300)
    table.row("ms of CPU each, our own", [f"{ours * 1000:.2f}"], "<= 1.5", ours <= 0.0015)
    table.row("of it connecting anew, since moto hangs up and SQS does not", [f"{sum(anew) / number * 1000:.2f}"])
    table.row("ms of CPU each, sender, gateway and emulators", [f"{(spent - sum(own)) / number * 1000:.1f}"])
    table.row("our own share of it", [f"{sum(own) / spent:.0%}"])
    table.row("lost", [str(lost)], "0", lost == 0)
    return table


def _delivered(world: World, watched: Watched, customers: list[Customer]) -> tuple[float, float, float]:
    """Milliseconds: the whole, of it for the database and its emulator, and for the queue's."""
    _make_room(world)
    raw = _encoded(customers)
    watched.seconds.clear()
    whole = _milliseconds(lambda: _deliver(world, raw))
    waited = {kind: sum(spent for step, spent in watched.seconds.items() if kind in step) for kind in ("data", "queue")}
    return whole, waited["data"] * 1000, waited["queue"] * 1000


def _make_room(world: World) -> None:
    """Rates are for senders, and moto's queue is slow when it is long."""
    world.forget_rates()
    world.cloud.reset()


def _row(table: Table, name: str, measured: list[tuple[float, float, float]], share: float, bar: int) -> None:
    whole, database, queue = (_at([one[place] for one in measured], share) for place in range(3))
    ours = _at([one[0] - one[1] - one[2] for one in measured], share)
    table.row(name, [f"{cell:.1f}" for cell in (whole, database, queue, ours)], f"<= {bar}", whole <= bar)


def _turns(world: World) -> Table:
    world.reset()
    table = Table("A turn, without the model", ["measured"])
    own, database, store, rest = [], [], [], []
    with line(world, Watched) as watched:
        assert isinstance(watched, Watched)
        for number in range(TURNS + 5):
            world.forget_rates()
            world.receive(whatsapp_message(text(QUESTIONS[number % 4]), _customer(number)))
            watched.taken.clear()
            watched.seconds.clear()
            began = time.perf_counter()
            _reply(world)
            whole = time.perf_counter() - began
            world.settle()
            if number < 5:
                continue  # the first of a business open its budgets
            mine = {step: spent for step, spent in watched.seconds.items() if step.startswith("queue_reply")}
            model = sum(spent for step, spent in mine.items() if ": model" in step)
            own.append((whole - model) * 1000)
            rest.append((whole - sum(mine.values())) * 1000)
            taken = [step for step in watched.taken if step.startswith("queue_reply")]
            database.append(sum(": database" in step for step in taken))
            store.append(sum(": store" in step for step in taken))
    table.row("ms p50", [f"{_at(own, 0.5):.1f}"], "<= 60", _at(own, 0.5) <= 60)
    table.row("ms p50 beside all it waits for", [f"{_at(rest, 0.5):.1f}"])
    table.row("calls of the database", [str(max(database))], "<= 4", max(database) <= 4)
    table.row("calls of Redis", [str(max(store))], "<= 2", max(store) <= 2)
    return table


def _encoded(customers: list[Customer]) -> bytes:
    return json.dumps(whatsapp([message(text("hola"), customer) for customer in customers], senders=customers)).encode()


def _deliver(world: World, raw: bytes) -> Any:
    headers = {"x-hub-signature-256": payloads.sign(raw, world.plan.keys.meta_app_secret)}
    return world.call("POST", "/webhook/meta", content=raw, headers=headers)


def _reply(world: World) -> None:
    """One batch of the reply queue."""
    [source] = [source for source in world.template.event_sources if source.function == "queue_reply"]
    world.pump._step(source, 0)


def _customer(number: int) -> Customer:
    return Customer(name="", phone=f"54912{number:06}")


def _milliseconds(work: Any) -> float:
    began = time.perf_counter()
    answer = work()
    took = (time.perf_counter() - began) * 1000
    assert answer.status_code == 200, answer.text
    return took


def _at(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


if __name__ == "__main__":
    sys.exit(main())
