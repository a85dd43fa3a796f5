"""Many at once: nothing is spent over, nearly all is used, nothing stays held; and a worker that dies."""

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest
import redis
import redis.asyncio

from local.plan import PROJECT
from shared.abuse.admission import script
from tests.shared.abuse.asking import Budget, Store, Want

NOW = 1_800_000_000_000
LIMIT = 1_000_000
LEAST, MOST = 1_000, 16_000
WORKERS = 512
TENANT = Budget("t", "u:tenant::day:x", "d", LIMIT)
SLOTS = Budget("t", "u:tenant::now:calls", "n", 2, meter=2)
CHAT = ("p", "b:chat")


class Racer(Store):
    """The same questions over a connection of its own, answered later."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self.client = client  # type: ignore[assignment]
        self._script = client.register_script(script().text.partition("\n")[2])  # type: ignore[assignment]


async def race(url: str, workers: int, work: Callable[[Racer, int], Awaitable[list[int]]]) -> list[int]:
    pool = redis.asyncio.BlockingConnectionPool.from_url(url, max_connections=64, timeout=60, decode_responses=True)
    async with redis.asyncio.Redis(connection_pool=pool) as client:
        racer = Racer(client)
        found = await asyncio.gather(*(work(racer, number) for number in range(workers)))
    return [number for numbers in found for number in numbers]


@pytest.mark.parametrize("seed", [1, 2])
def test_512_workers_spend_nothing_over_and_leave_nearly_nothing(
    client: redis.Redis, redis_url: str, seed: int
) -> None:
    store = Store(client)
    store.open(NOW)
    over: list[int] = []

    async def spend(racer: Racer, number: int) -> list[int]:
        chance = random.Random(seed * 1000 + number)
        seqs = []
        for turn in range(1000):
            wanted = chance.randint(LEAST, MOST)
            want = Want(f"{number}-{turn}", NOW, 60, ((LEAST, wanted),), budgets=(TENANT,))
            answer = await racer.admit(want)  # type: ignore[misc]
            if answer[1] == "budget_spent":
                break
            if answer[0] != "admitted":
                await asyncio.sleep(0)
                continue
            seqs.append(answer[2])
            _, used, held = map(int, (await racer.client.hget("portero:t:a", TENANT.field)).split(" ")[:3])
            over.append(used + held - LIMIT)
            await racer.settle(want, [answer[4] * chance.randint(50, 100) // 100], NOW)  # type: ignore[misc]
        return seqs

    seqs = asyncio.run(race(redis_url, WORKERS, spend))
    _, used, held = store.counter(TENANT)
    assert max(over) <= 0
    assert held == 0
    assert LIMIT * 0.995 <= used <= LIMIT
    # Every admission has its own number, and none is left out.
    assert sorted(seqs) == list(range(1, len(seqs) + 1))
    # The records say the same, one by one.
    records = [value for name, value in client.hgetall("portero:t:a").items() if name.startswith("h:")]
    assert sum(int(record.split(" meters ")[1].split(" ")[1]) for record in records) == used


def test_of_64_that_find_an_open_breaker_over_one_gets_the_probe(client: redis.Redis, redis_url: str) -> None:
    store = Store(client)
    store.open(NOW)
    for number in range(5):
        want = Want(f"f{number}", NOW, breakers=(CHAT,))
        store.admit(want)
        store.settle(want, [0], NOW, "failure")

    async def probe(racer: Racer, number: int) -> list[int]:
        return [int((await racer.admit(Want(f"p{number}", NOW + 6250, breakers=(CHAT,))))[0] == "admitted")]  # type: ignore[misc]

    assert sorted(asyncio.run(race(redis_url, 64, probe))) == [0] * 63 + [1]


def test_one_request_from_many_connections_is_one_hold(client: redis.Redis, redis_url: str) -> None:
    store = Store(client)
    store.open(NOW)

    async def repeat(racer: Racer, number: int) -> list[int]:
        return [(await racer.admit(Want("same", NOW, budgets=(TENANT,))))[2]]  # type: ignore[misc]

    assert set(asyncio.run(race(redis_url, 32, repeat))) == {1}
    assert store.counter(TENANT)[1:] == (0, 100)


DYING = """
import sys, time, redis
from tests.shared.abuse.asking import Store
from tests.shared.abuse.test_races import CHAT, NOW, SLOTS, TENANT
from tests.shared.abuse.asking import Want
store = Store(redis.Redis.from_url(sys.argv[1], decode_responses=True))
print(store.admit(Want("dying", NOW, 20, budgets=(TENANT, SLOTS), breakers=(CHAT,)))[0], flush=True)
time.sleep(60)
"""


def test_a_worker_killed_between_admission_and_end_is_charged_and_noticed(client: redis.Redis, redis_url: str) -> None:
    store = Store(client)
    store.open(NOW)
    with subprocess.Popen(
        [sys.executable, "-c", DYING, redis_url], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "admitted\n"
        worker.send_signal(signal.SIGKILL)
    assert (store.counter(TENANT)[1:], store.counter(SLOTS)[1:]) == ((0, 100), (0, 1))
    assert store.admit(Want("next", NOW + 20_000, 20, budgets=(TENANT, SLOTS), breakers=(CHAT,)))[0] == "admitted"
    assert (store.counter(TENANT)[1:], store.counter(SLOTS)[1:]) == ((100, 100), (0, 1))
    # One call, failed, and the first of a run.
    assert client.hget("portero:p:model", "b:chat").split(" ")[4:11] == ["1", "1", "0", "0", "0", "0", "1"]
