"""The script and the model in lockstep: any sequence of what can happen, and every invariant after every step.

I1 to I11 are those of docs/decisions/0009. `make prove-admission` runs 2,000 other histories (a minute or two).
"""

import os
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.shared.abuse.asking import DAY, Budget, Facts, Store, Want
from tests.shared.abuse.model import Hold, Model

EXAMPLES = int(os.environ.get("PORTERO_EXAMPLES", "300"))
STEPS = 30
BEGIN = 1_800_000_000_000
TENANT, PROVIDER = "portero:t:a", "portero:p:model"
OUTCOMES = st.sampled_from(["success", "failure", "slow", "neutral"])
CHAT, OWN = ("p", "b:chat"), ("t", "b:own")


class Lockstep(RuleBasedStateMachine):
    """One tenant at one provider, with a ledger of what was settled, as Postgres keeps it."""

    client: ClassVar[redis.Redis]
    raw: ClassVar[redis.Redis]

    def __init__(self) -> None:
        super().__init__()
        self.client.flushall()
        self.store, self.model = Store(self.client), Model()
        self.now, self.number = BEGIN, 0
        self.epochs = {"t": 1, "p": 1}
        self.version = 1
        self.limits = {"t": 1000, "c": 400, "p": 3000, "m": 5000, "n": 3}
        self.wants: dict[str, Want] = {}
        self.ledger: dict[str, tuple[Want, int, int]] = {}
        self.seen_seq = 0
        self.snapshot: dict[bytes, bytes] | None = None
        self.was_lowered = False
        self.arrivals: dict[str, int] = {}
        self.orphans: list[Hold] = []

    @initialize()
    def open(self) -> None:
        for place in "tp":
            self._seed(place)

    def _key(self, place: str) -> str:
        return TENANT if place == "t" else PROVIDER

    def _seed(self, place: str) -> None:
        """From the ledger, as a server does after a loss. Whoever still held something has ended by then."""
        counters: dict[tuple[str, str], int] = {}
        for want, used, admitted in self.ledger.values():
            for budget in want.budgets:
                length = {"d": DAY, "m": 30 * DAY}.get(budget.kind)
                if budget.place == place and length and admitted // length == self.now // length and budget.meter == 1:
                    counters[budget.field, budget.kind] = counters.get((budget.field, budget.kind), 0) + used
        listed = [(name, kind, used) for (name, kind), used in counters.items() if used > 0]
        assert self.store.seed(self._key(place), self.epochs[place], self.now, listed)[0] == "seeded"
        self.model.seed(place, self.epochs[place], self.now, listed)
        if place == "t":
            self.seen_seq, self.arrivals = 0, {}

    def _facts(self) -> dict[str, Facts]:
        return {
            "own": Facts(self.epochs["t"], self.seen_seq, self.version),
            "platform": Facts(self.epochs["p"], 0, self.version),
        }

    @rule(
        least=st.integers(0, 300),
        more=st.integers(0, 300),
        scopes=st.sets(st.sampled_from("tcpmn"), min_size=1),
        rates=st.sets(st.sampled_from(["r:slow", "r:quick"])),
        breakers=st.sets(st.sampled_from([CHAT, OWN])),
        seconds=st.integers(1, 60),
        skew=st.integers(-2000, 2000),
        contact=st.sampled_from("12"),
    )
    def admit(
        self,
        least: int,
        more: int,
        scopes: set[str],
        rates: set[str],
        breakers: Any,
        seconds: int,
        skew: int,
        contact: str,
    ) -> None:
        self.number += 1
        budgets = {
            "t": Budget("t", "u:tenant::day:x", "d", self.limits["t"]),
            "c": Budget("t", f"u:contact:{contact}:day:x", "d", self.limits["c"]),
            "m": Budget("t", "u:tenant::month:x", "m", self.limits["m"]),
            "n": Budget("t", "u:tenant::now:calls", "n", self.limits["n"], meter=2),
            "p": Budget("p", "u:platform::day:x", "d", self.limits["p"]),
        }
        want = Want(
            f"h{self.number}",
            self.now + skew,
            seconds,
            ((least, least + more),),
            tuple((name, *{"r:slow": (3, 60), "r:quick": (60, 60)}[name]) for name in sorted(rates)),
            tuple(budgets[scope] for scope in sorted(scopes)),
            tuple(sorted(breakers)),
            **self._facts(),
        )
        self._admit(want)

    def _admit(self, want: Want) -> None:
        # A caller who is behind is taken to the time of who was last.
        moment = max([want.now, *(side.last for side in self.model.sides.values() if side)])
        due = any(hold.state == "open" and hold.want.expires <= moment for hold in self.model.holds.values())
        before = self._state()
        answer, expected = self.store.admit(want), self.model.admit(want)
        if answer[0] == "admitted":
            count = answer[3]
            assert ["admitted", answer[1], answer[2], answer[4 : 4 + count]] == expected
            self.wants.setdefault(want.hold, want)
        else:
            assert answer[: len(expected)] == expected
            # I2: who is refused changes nothing; what is over is charged on the way.
            if answer[0] != "init" and not due:
                assert self._state() == before
        self._take_notice()

    def _state(self) -> dict[str, Any]:
        """All that is there, but for when to look for expired holds next, which is no more than a hint."""
        found = self.store.dump()
        if open_holds := found.get(TENANT, {}).get("o:model"):
            found[TENANT]["o:model"] = open_holds.split(" ")[0]
        return found

    def _take_notice(self) -> None:
        """The ledger hears of what has expired, as cron_budgets tells it."""
        for name, hold in self.model.holds.items():
            if hold.state == "expired" and name not in self.ledger:
                self.ledger[name] = (hold.want, hold.granted[0], hold.want.now)
                self.seen_seq = max(self.seen_seq, hold.seq)

    @precondition(lambda self: self.wants)
    @rule(data=st.data(), share=st.integers(0, 120), outcome=OUTCOMES)
    def settle(self, data: st.DataObject, share: int, outcome: str) -> None:
        """Open, settled, expired, forgotten or lost: whichever it is, both say the same."""
        want = self.wants[data.draw(st.sampled_from(sorted(self.wants)))]
        known = self.model.holds.get(want.hold)
        used = (known.granted[0] if known else want.meters[0][1]) * share // 100
        answer = self.store.settle(want, [used], self.now, outcome)
        assert answer[0] == self.model.settle(want.hold, [used], self.now, outcome)
        if answer[0] == "settled" or want.hold not in self.ledger:
            self.ledger.setdefault(want.hold, (want, used, want.now))
        if known is not None:
            self.seen_seq = max(self.seen_seq, known.seq)

    @precondition(lambda self: self.wants)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """A copy of an old request, however late: it takes no second hold (I3, I10)."""
        want = self.wants[data.draw(st.sampled_from(sorted(self.wants)))]
        before = len(self.model.holds)
        self._admit(want)
        assert len(self.model.holds) == before

    @rule(milliseconds=st.sampled_from([1, 500, 5_000, 20_000, 61_000, 3_600_000, DAY, 31 * DAY]))
    def wait(self, milliseconds: int) -> None:
        self.now += milliseconds

    @rule()
    def sweep(self) -> None:
        assert self.store.sweep("a", "model", self.now)[1] == self.model.sweep(self.now)
        self._take_notice()

    @rule()
    def forget(self) -> None:
        names = sorted(self.model.holds)
        gone = self.model.forget(self.now) if names else set()
        assert self.store.forget("a", self.now, names)[1] == len(gone)

    @rule(which=st.sampled_from("tcpmn"), limit=st.integers(0, 3000))
    def change_limit(self, which: str, limit: int) -> None:
        self.version += 1
        self.was_lowered = self.was_lowered or limit < self.limits[which]
        self.limits[which] = limit

    @precondition(lambda self: self.version > 1)
    @rule()
    def ask_with_old_limits(self) -> None:
        own = self.model.sides["t"]
        self.number += 1
        facts = Facts(self.epochs["t"], self.seen_seq, self.version - 1)
        want = Want(f"h{self.number}", self.now, own=facts, platform=self._facts()["platform"])
        answer = self.store.admit(want)
        assert answer[0] == self.model.admit(want)[0]
        if own is not None and own.version == self.version and not self.model.tokens["t"]:
            assert answer[0] in ("stale", "init")
        if answer[0] == "admitted":
            self.wants[want.hold] = want
        self._take_notice()

    @rule(place=st.sampled_from("tp"), stopped=st.sampled_from(["ai", "file send", ""]))
    def stop(self, place: str, stopped: str) -> None:
        side = self.model.sides[place]
        if side is not None:
            side.stopped = stopped
            self.client.hset(self._key(place), "stopped", stopped)

    @rule(breaker=st.sampled_from([CHAT, OWN]), mode=st.sampled_from(["open", "disabled", "shadow", ""]))
    def force(self, breaker: tuple[str, str], mode: str) -> None:
        place, name = breaker
        side = self.model.sides[place]
        if side is not None:
            side.modes[name] = mode
            self.client.hset(self._key(place), f"{name}:mode", mode)

    @rule(place=st.sampled_from("tp"))
    def lose(self, place: str) -> None:
        """A hash is gone: init until it is seeded, in a later epoch."""
        self.client.delete(self._key(place))
        self.model.sides[place], self.model.tokens[place] = None, ""
        if place == "t":
            self._lost_holds()
        self.number += 1
        answer = self.store.admit(want := Want(f"h{self.number}", self.now, **self._facts()))
        assert answer == self.model.admit(want)
        assert answer[0] == "init"
        self._reopen(place)

    def _lost_holds(self) -> None:
        """Those who held something end within the minute that nobody is admitted in, and write what they used."""
        for name, hold in self.model.holds.items():
            self.ledger.setdefault(name, (hold.want, hold.granted[0], hold.want.now))
        # What they held at the provider stays held there until its window ends: too much, never too little.
        self.orphans += [hold for hold in self.model.holds.values() if hold.state == "open"]
        self.model.holds, self.model.rates = {}, {}
        self.client.delete(f"{TENANT}:model")

    def _reopen(self, place: str) -> None:
        self.epochs[place] += 1
        self._seed(place)

    @rule()
    def take_snapshot(self) -> None:
        self.snapshot = {key: self.raw.dump(key) for key in self.raw.keys("*")}
        self.snapshot_seq = int(self.client.hget(TENANT, "m").split(" ")[1])
        self.snapshot_epoch = self.epochs["t"]

    @precondition(lambda self: self.snapshot and self.snapshot_epoch == self.epochs["t"])
    @rule()
    def roll_back(self) -> None:
        """An old copy of Redis comes back. The ledger knows of a later admission, so nobody is let in."""
        if self.seen_seq <= self.snapshot_seq:
            return
        assert self.snapshot
        self.client.flushall()
        for key, value in self.snapshot.items():
            self.raw.restore(key, 0, value)
        self.number += 1
        answer = self.store.admit(Want(f"h{self.number}", self.now, **self._facts()))
        assert (answer[0], answer[1]) == ("init", f"h{self.number}")
        self._lost_holds()
        self.epochs = {place: epoch + 1 for place, epoch in self.epochs.items()}
        for place in "tp":
            self._seed(place)

    @invariant()
    def what_redis_holds_is_sound(self) -> None:
        if self.model.sides["t"] is None or self.model.sides["p"] is None:
            return
        hashes = {"t": self.client.hgetall(TENANT), "p": self.client.hgetall(PROVIDER)}
        for place, stored in hashes.items():
            side = self.model.sides[place]
            assert side is not None
            counts = {name: value for name, value in stored.items() if name.startswith("u:")}
            for name, packed in counts.items():
                start, used, held, _, limit = map(int, packed.split(" "))
                count = side.counts[name]
                assert (start, used, held) == (count.start, count.used, count.held), name
                assert held >= 0  # I4, I5
                # I1: nothing is spent over, unless it was used beyond its hold or the limit was lowered below it.
                if not self.was_lowered and not self.model.overdraft and limit:
                    assert used + held <= limit, name
                # I5: what is held is the sum of what is open.
                open_holds = [hold for hold in self.model.holds.values() if hold.state == "open"]
                open_holds += self.orphans if place == "p" else []
                assert held == sum(
                    hold.granted[budget.meter - 1]
                    for hold in open_holds
                    for budget in hold.want.budgets
                    if budget.field == name and hold.starts[name] == start and hold.epochs[place] == side.epoch
                )
            for name, packed in stored.items():
                if name.startswith("b:") and not name.endswith(":mode"):  # I7
                    breaker = side.breakers[name]
                    opens, until, *_, lease = map(int, packed.split(" "))
                    assert (opens, until, lease) == (breaker.opens, breaker.until, breaker.lease)
        open_now = sum(hold.state == "open" for hold in self.model.holds.values())
        assert int(hashes["t"].get("o:model", "0 0").split(" ")[0]) == open_now == self.client.zcard(f"{TENANT}:model")
        for name, value in hashes["t"].items():
            if name.startswith("r:"):  # I8
                assert int(value) >= self.arrivals.get(name, 0)
                assert int(value) == self.model.rates[name]
                self.arrivals[name] = int(value)


@pytest.fixture
def machine(client: redis.Redis, redis_url: str) -> Iterator[type[Lockstep]]:
    Lockstep.client = client
    with redis.Redis.from_url(redis_url) as Lockstep.raw:
        yield Lockstep


def test_script_and_model_agree_whatever_happens(machine: type[Lockstep]) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            # The same histories each time, so that a red run is about the change; others by PORTERO_EXAMPLES.
            derandomize="PORTERO_EXAMPLES" not in os.environ,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
