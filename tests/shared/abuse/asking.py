"""Asking the admission script of a Redis directly, by the shape that shared/abuse/admission.py gives it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import redis

from shared.abuse.admission import script

Window = tuple[int, int]
DAY, MONTH = 86_400_000, 30 * 86_400_000


@dataclass(frozen=True)
class Budget:
    """A limit that applies. `place` t or p, `kind` d, m or n, `meter` counted from one."""

    place: str
    field: str
    kind: str
    limit: int
    meter: int = 1


@dataclass(frozen=True)
class Facts:
    """What the caller believes of one side."""

    epoch: int = 1
    seq: int = 0
    version: int = 1


@dataclass(frozen=True)
class Want:
    """One admission. The last meter counts calls."""

    hold: str
    now: int
    seconds: int = 30
    meters: tuple[tuple[int, int], ...] = ((10, 100),)
    rates: tuple[tuple[str, int, int], ...] = ()
    budgets: tuple[Budget, ...] = ()
    breakers: tuple[tuple[str, str], ...] = ()
    own: Facts = field(default_factory=Facts)
    platform: Facts = field(default_factory=Facts)
    consumes: str = "ai"
    tenant: str = "a"
    provider: str | None = "model"

    @property
    def expires(self) -> int:
        """When the hold is over, in milliseconds."""
        return self.now + self.seconds * 1000

    def at(self, **changes: Any) -> "Want":
        """The same with some of it changed."""
        return replace(self, **changes)


def day_of(now: int) -> Window:
    """Days and months here begin at the epoch."""
    return now // DAY * DAY, now // DAY * DAY + DAY


def month_of(now: int) -> Window:
    """Thirty days."""
    return now // MONTH * MONTH, now // MONTH * MONTH + MONTH


class Store:
    """A Redis that runs the script, without the line that only Upstash understands."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self._script = client.register_script(script().text.partition("\n")[2])

    def run(self, keys: Sequence[str], arguments: Sequence[Any]) -> list[Any]:
        """The script's answer, as it comes."""
        answer: list[Any] = self._script(keys=list(keys), args=list(arguments))
        return answer

    def keys(self, tenant: str, provider: str | None) -> list[str]:
        """The keys of a call."""
        own = [f"portero:t:{tenant}", f"portero:t:{tenant}:{provider or 'none'}"]
        return [*own, f"portero:p:{provider}"] if provider else own

    def admit(self, want: Want) -> list[Any]:
        """One admission."""
        windows = [*day_of(want.now), *month_of(want.now)]
        budgets = " ".join(f"{b.place} {b.field} {b.kind} {b.meter}" for b in want.budgets)
        breakers = " ".join(f"{place} {name}" for place, name in want.breakers)
        meters = (*want.meters, (1, 1))
        arguments: list[Any] = ["admit", want.hold, want.now, want.expires, want.provider or "none", "f/c/k/m/model/x"]
        for facts in (want.own, want.platform):
            arguments += [facts.epoch, facts.seq, facts.version, *windows]
        arguments += [want.consumes, f"{budgets} | {breakers}"]
        arguments += [len(meters), len(want.rates), len(want.budgets), len(want.breakers)]
        arguments += [amount for meter in meters for amount in meter]
        for name, calls, seconds in want.rates:
            arguments += [name, seconds * 1_000_000 // calls, seconds * 1_000_000]
        for budget in want.budgets:
            arguments += [budget.place, budget.field, budget.kind, budget.limit, budget.meter]
        arguments += [part for breaker in want.breakers for part in breaker]
        return self.run(self.keys(want.tenant, want.provider), arguments)

    def settle(
        self, want: Want, used: Sequence[int], now: int, outcome: str = "success", throttled: int = 0
    ) -> list[Any]:
        """The end of a hold that `want` took."""
        amounts = [*used, 0]
        arguments: list[Any] = ["settle", want.hold, now, want.provider or "none", throttled]
        arguments += [len(amounts), len(want.budgets), len(want.breakers), *amounts]
        arguments += [part for budget in want.budgets for part in (budget.place, budget.field)]
        for place, name in want.breakers:
            arguments += [place, name, outcome]
        return self.run(self.keys(want.tenant, want.provider), arguments)

    def seed(self, key: str, epoch: int, now: int, counters: Sequence[tuple[str, str, int]] = ()) -> list[Any]:
        """Begin an epoch. Counters as (field, kind, used)."""
        arguments: list[Any] = ["seed", epoch, 1, "", *day_of(now), *month_of(now), len(counters)]
        return self.run([key], arguments + [part for counter in counters for part in counter])

    def sweep(self, tenant: str, provider: str, now: int) -> list[Any]:
        """End what is over."""
        return self.run(self.keys(tenant, provider), ["sweep", now, provider])

    def forget(self, tenant: str, now: int, holds: Sequence[str]) -> list[Any]:
        """Drop records that the ledger has."""
        return self.run([f"portero:t:{tenant}"], ["forget", now, *holds])

    def open(self, now: int, tenant: str = "a", provider: str = "model") -> None:
        """Both sides, with nothing used."""
        self.seed(f"portero:t:{tenant}", 1, now)
        self.seed(f"portero:p:{provider}", 1, now)

    def counter(self, budget: Budget, tenant: str = "a", provider: str = "model") -> tuple[int, int, int]:
        """(window's start, used, held) of a budget."""
        key = f"portero:t:{tenant}" if budget.place == "t" else f"portero:p:{provider}"
        packed = self.client.hget(key, budget.field)
        start, used, held, *_ = (int(part) for part in packed.split(" ")) if packed else (0, 0, 0)
        return start, used, held

    def dump(self) -> dict[str, Any]:
        """Everything there is, to compare."""
        found: dict[str, Any] = {}
        for key in sorted(self.client.keys("*")):
            is_hash = self.client.type(key) == "hash"
            found[key] = self.client.hgetall(key) if is_hash else self.client.zrange(key, 0, -1, withscores=True)
        return found
