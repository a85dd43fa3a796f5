"""512 workers at one budget, by each of the ways to keep it: what was spent, and how much of it was over.

Every worker makes calls until it is told no. A call costs what nobody knows before: from 100 to 16,000.
"""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import redis.asyncio

from shared.abuse.admission import script
from tests.shared.abuse.asking import Budget, Store, Want

WORKERS, LIMIT, LEAST, DEAREST = 512, 10_000_000, 100, 16_000
NOW = 1_800_000_000_000
BUDGET = Budget("t", "u:tenant::day:x", "d", LIMIT)
# As long as a fast model: enough for others to come in between.
CALL_SECONDS = 0.01


class Race(NamedTuple):
    """Spent in all, how many calls, in how many seconds, and what was left held."""

    spent: int
    calls: int
    seconds: float
    held: int


Spend = Callable[[random.Random, int], Awaitable[int | None]]


async def _race(spend: Spend, workers: int = WORKERS) -> tuple[int, int, float]:
    begun = time.perf_counter()

    async def work(number: int) -> list[int]:
        chance, costs = random.Random(number), []
        while (cost := await spend(chance, number)) is not None:
            costs.append(cost)
        return costs

    found = [cost for costs in await asyncio.gather(*map(work, range(workers))) for cost in costs]
    return sum(found), len(found), time.perf_counter() - begun


async def ours(url: str) -> Race:
    """A hold for the dearest, settled to what it was."""
    async with _client(url) as client:
        await client.flushall()
        store = _Racer(client)
        for key in ("portero:t:a", "portero:p:model"):
            await store.seed(key, 1, NOW)  # type: ignore[misc]
        turns = iter(range(10**9))

        async def spend(chance: random.Random, number: int) -> int | None:
            want = Want(f"{number}-{next(turns)}", NOW, 60, ((LEAST, DEAREST),), budgets=(BUDGET,))
            while (answer := await store.admit(want))[0] != "admitted":  # type: ignore[misc]
                if answer[1] == "budget_spent":
                    return None
                await asyncio.sleep(CALL_SECONDS)
            await asyncio.sleep(CALL_SECONDS)
            # The provider is told not to go beyond the grant.
            cost = min(chance.randint(LEAST, DEAREST), answer[4])
            await store.settle(want, [cost], NOW)  # type: ignore[misc]
            return cost

        spent, calls, seconds = await _race(spend)
        _, used, held = (int(part) for part in (await client.hget("portero:t:a", BUDGET.field)).split(" ")[:3])
        assert used == spent
        return Race(spent, calls, seconds, held)


async def check_then_charge(url: str) -> Race:
    """Read, call, add: what most gateways do."""
    async with _client(url) as client:
        await client.flushall()

        async def spend(chance: random.Random, number: int) -> int | None:
            if int(await client.get("spent") or 0) >= LIMIT:
                return None
            await asyncio.sleep(CALL_SECONDS)
            cost = chance.randint(LEAST, DEAREST)
            await client.incrby("spent", cost)
            return cost

        return Race(*await _race(spend), 0)


async def upstash_ratelimit(bridge: str, token: str, peers: Path, *, before: bool) -> Race:
    """The library's fixed window: the dearest cost asked for before the call, or the real one counted after it."""
    # After our own, so that of what both have ours is taken.
    sys.path.append(str(peers))
    from upstash_ratelimit.asyncio import FixedWindow, Ratelimit
    from upstash_redis.asyncio import Redis

    async with Redis(bridge, token, rest_retries=0, allow_telemetry=False) as client:
        await client.flushall()
        limiter = Ratelimit(redis=client, limiter=FixedWindow(max_requests=LIMIT, window=86_400))

        async def spend(chance: random.Random, number: int) -> int | None:
            cost = chance.randint(LEAST, DEAREST)
            if before:
                if not (await limiter.limit("budget", rate=DEAREST)).allowed:
                    return None
                await asyncio.sleep(CALL_SECONDS)
            else:
                if await limiter.get_remaining("budget") <= 0:
                    return None
                await asyncio.sleep(CALL_SECONDS)
                await limiter.limit("budget", rate=cost)
            return cost

        return Race(*await _race(spend), 0)


def litellm_budget_manager(peers: Path) -> Race:
    """LiteLLM's BudgetManager, in its own process: ask, call, add."""
    command = [sys.executable, str(Path(__file__).with_name("litellm_race.py"))]
    command += [str(number) for number in (WORKERS, LIMIT, LEAST, DEAREST, CALL_SECONDS)]
    environment = {**os.environ, "PYTHONPATH": str(peers), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    return Race(int(said[-3]), int(said[-2]), float(said[-1]), 0)


def _client(url: str) -> redis.asyncio.Redis:
    pool = redis.asyncio.BlockingConnectionPool.from_url(url, max_connections=64, timeout=60, decode_responses=True)
    return redis.asyncio.Redis(connection_pool=pool)


class _Racer(Store):
    def __init__(self, client: Any) -> None:
        self.client = client
        self._script = client.register_script(script().text.partition("\n")[2])
