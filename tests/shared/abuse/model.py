"""What an admission is, in plain Python: the reference that the script is held to, step by step.

Written from the rules (docs/decisions/0009) with objects instead of strings, lists of results instead of counters, and
no thought of speed. One tenant, one provider.
"""

import math
from dataclasses import dataclass, field
from typing import Any

from tests.shared.abuse.asking import Budget, Want, Window, day_of, month_of


@dataclass
class Hold:
    """A hold and what became of it."""

    want: Want
    granted: list[int]
    starts: dict[str, int]
    epochs: dict[str, int]
    seq: int
    generations: list[int]
    state: str = "open"
    used: list[int] = field(default_factory=list)


@dataclass
class Count:
    """A budget in one window."""

    start: int
    used: int = 0
    held: int = 0


@dataclass
class Breaker:
    """Results with their times; `opens` in a row, `until` when, and the one probe's lease."""

    opens: int = 0
    until: int = 0
    busy: int = 0
    lease: int = 0
    passed: int = 0
    started: int = 0
    now_results: list[str] = field(default_factory=list)
    before_results: list[str] = field(default_factory=list)
    run: int = 0

    def open(self, at: int) -> None:
        """For twice as long as the last time, up to five minutes, and up to a quarter more."""
        self.opens += 1
        length = min(5000 * 2 ** min(self.opens - 1, 16), 300_000)
        self.until = at + math.floor(length * (4000 + at % 1000) / 4000)
        self.lease = self.passed = self.started = self.run = 0
        self.now_results, self.before_results = [], []

    def look(self, now: int) -> None:
        """A probe that did not come back has failed when its lease ended."""
        if self.lease and self.lease <= now:
            self.open(self.lease)

    def hear(self, generation: int, outcome: str, expires: int, now: int) -> None:
        """The result of a call that began in this generation."""
        is_probe = generation > 0 and generation == self.opens
        if is_probe and self.lease == expires:
            self.lease = 0
        if outcome == "neutral":
            return
        if generation == 0 and self.opens == 0:
            self._count(outcome, now)
        elif is_probe and outcome == "success":
            self.passed += 1
            if self.passed == 3:
                self.__init__()  # type: ignore[misc]
        elif is_probe:
            self.open(now)

    def _count(self, outcome: str, now: int) -> None:
        if now >= self.started + 20_000:
            self.started, self.now_results, self.before_results = now, [], []
        elif now >= self.started + 10_000:
            self.started, self.before_results, self.now_results = self.started + 10_000, self.now_results, []
        self.now_results.append(outcome)
        self.run = self.run + 1 if outcome == "failure" else 0
        results = self.now_results + self.before_results
        shares = [results.count("failure") * 2 >= len(results), results.count("slow") * 5 >= 4 * len(results)]
        if self.run >= 5 or (len(results) >= 20 and any(shares)):
            self.open(now)


@dataclass
class Side:
    """One hash: the tenant's or the provider's."""

    epoch: int
    version: int = 1
    seq: int = 0
    last: int = 0
    windows: dict[str, Window] = field(default_factory=dict)
    counts: dict[str, Count] = field(default_factory=dict)
    breakers: dict[str, Breaker] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    stopped: str = ""
    token: str = ""


class Model:
    """The whole of it."""

    def __init__(self) -> None:
        self.sides: dict[str, Side | None] = {"t": None, "p": None}
        self.tokens: dict[str, str] = {"t": "", "p": ""}
        self.rates: dict[str, int] = {}
        self.holds: dict[str, Hold] = {}
        self.overdraft = 0

    def seed(self, place: str, epoch: int, now: int, counters: list[tuple[str, str, int]]) -> None:
        """Begin anew on one side."""
        side = Side(epoch, windows={"d": day_of(now), "m": month_of(now)})
        for name, kind, used in counters:
            side.counts[name] = Count(side.windows[kind][0], used)
        self.sides[place] = side
        self.tokens[place] = ""
        if place == "t":
            self.holds, self.rates = {}, {}

    def admit(self, want: Want) -> list[Any]:
        """The answer, and what it changes."""
        answers = [
            self._fence(place, facts.epoch, seq, facts.version, want.hold)
            for place, facts, seq in (("t", want.own, want.own.seq), ("p", want.platform, 0))
        ]
        if any(answer not in ("", "stale") for answer in answers):
            return ["init", *(("" if answer == "stale" else answer) for answer in answers)]
        if "stale" in answers:
            return ["stale"]
        own, platform = self._side("t"), self._side("p")
        now = max(want.now, own.last, platform.last)
        if any(hold.state == "open" and hold.want.expires <= now for hold in self.holds.values()):
            self._sweep(now)
        if want.expires <= now:
            return ["denied", "late"]
        if want.hold in self.holds:
            known = self.holds[want.hold]
            return ["admitted", own.epoch, known.seq, known.granted]
        rolled = {}
        for place, side in (("t", own), ("p", platform)):
            for kind, window in (("d", day_of(want.now)), ("m", month_of(want.now))):
                start, end = side.windows[kind]
                if now >= end and window[1] <= now:
                    return ["stale"]
                rolled[place, kind] = (max(window[0], end), window[1]) if now >= end else (start, end)
        if want.consumes in f"{own.stopped} {platform.stopped}".split():
            return ["denied", "stopped"]
        if refusal := self._rates_refuse(want, now):
            return refusal
        generations = []
        for place, name in want.breakers:
            side = self._side(place)
            # As it would be now; nothing changes until all the rest says yes.
            breaker = Breaker(**vars(side.breakers.get(name, Breaker())))
            breaker.look(now)
            verdict = self._ask(breaker, side.modes.get(name, ""), now)
            if isinstance(verdict, str):
                return ["denied", verdict]
            generations.append((side, name, breaker, verdict))
        granted = [most for _, most in want.meters] + [1]
        least = [few for few, _ in want.meters] + [1]
        for budget in want.budgets:
            count = self._count(budget, rolled)
            free = budget.limit - count.used - count.held
            needed = least[budget.meter - 1]
            if free < needed:
                if budget.kind == "n":
                    return ["denied", "concurrency"]
                if needed > budget.limit:
                    return ["denied", "too_large"]
                return ["denied", "budget_spent" if budget.limit - count.used < needed else "budget_held"]
            granted[budget.meter - 1] = min(granted[budget.meter - 1], free)
        self._take(want, now, granted, rolled, generations)
        return ["admitted", own.epoch, own.seq, granted]

    def _take(self, want: Want, now: int, granted: list[int], rolled: Any, generations: Any) -> None:
        own, platform = self._side("t"), self._side("p")
        for place, side in (("t", own), ("p", platform)):
            side.windows = {kind: rolled[place, kind] for kind in "dm"}
            side.last = now
        own.version, platform.version = want.own.version, want.platform.version
        own.seq += 1
        for name, calls, seconds in want.rates:
            increment = seconds * 1_000_000 // calls
            self.rates[name] = max(self.rates.get(name, 0), now * 1000) + increment
        for side, name, breaker, generation in generations:
            if generation > 0 and side.modes.get(name) != "shadow":
                breaker.lease = want.expires
                side.breakers[name] = breaker
        starts = {}
        for budget in want.budgets:
            count = self._count(budget, rolled)
            self._side(budget.place).counts[budget.field] = count
            count.held += granted[budget.meter - 1]
            starts[budget.field] = count.start
        epochs = {"t": own.epoch, "p": platform.epoch}
        marks = [generation for *_, generation in generations]
        self.holds[want.hold] = Hold(want, granted, starts, epochs, own.seq, marks)

    def settle(self, hold: str, used: list[int], now: int, outcome: str) -> str:
        """What the script's first word must be."""
        if self.sides["t"] is None or hold not in self.holds:
            return "unknown"
        known = self.holds[hold]
        if known.state == "settled":
            return "already"
        own, platform = self._side("t"), self.sides["p"]
        now = max(now, own.last, platform.last if platform else 0)
        was_open = known.state == "open"
        amounts = [*used, 0]
        if was_open:
            self._move(known, known.granted, amounts)
            self._report(known, outcome, now)
        else:
            self._move(known, None, [new - old for new, old in zip(amounts, known.granted, strict=True)])
        self.overdraft += sum(max(0, new - old) for new, old in zip(amounts, known.granted, strict=True))
        known.state, known.used = "settled", amounts
        own.last = now
        if platform:
            platform.last = now
        return "settled" if was_open else "late"

    def sweep(self, now: int) -> int:
        """How many were over."""
        if self.sides["t"] is None:
            return 0
        now = max(now, self._side("t").last)
        return self._sweep(now)

    def forget(self, now: int) -> set[str]:
        """The records that are dropped."""
        own = self.sides["t"]
        if own is None:
            return set()
        gone = {name for name, hold in self.holds.items() if hold.state != "open" and hold.want.expires <= now}
        own.last = max([own.last, *(self.holds[name].want.expires for name in gone)])
        self.holds = {name: hold for name, hold in self.holds.items() if name not in gone}
        return gone

    def _side(self, place: str) -> Side:
        side = self.sides[place]
        assert side is not None
        return side

    def _fence(self, place: str, epoch: int, seq: int, version: int, hold: str) -> str:
        side, token = self.sides[place], self.tokens[place]
        if side and not token:
            if side.epoch == epoch and side.seq >= seq:
                return "stale" if side.version > version else ""
            if side.epoch > epoch:
                return "stale"
        self.tokens[place] = token or hold
        return self.tokens[place]

    def _rates_refuse(self, want: Want, now: int) -> list[Any]:
        for name, calls, seconds in want.rates:
            arrival = max(self.rates.get(name, 0), now * 1000) + seconds * 1_000_000 // calls
            if arrival - now * 1000 > seconds * 1_000_000:
                return ["denied", "rate"]
        return []

    @staticmethod
    def _ask(breaker: Breaker, mode: str, now: int) -> str | int:
        if mode == "disabled":
            return -1
        if mode == "open":
            return "breaker_open"
        if mode == "shadow":
            return breaker.opens
        if breaker.busy > now:
            return "provider_busy"
        if breaker.opens and (breaker.until > now or breaker.lease):
            return "breaker_open"
        return breaker.opens

    def _count(self, budget: Budget, rolled: Any) -> Count:
        start = 0 if budget.kind == "n" else rolled[budget.place, budget.kind][0]
        count = self._side(budget.place).counts.get(budget.field)
        return count if count and count.start == start else Count(start)

    def _sweep(self, now: int) -> int:
        over = [hold for hold in self.holds.values() if hold.state == "open" and hold.want.expires <= now]
        for hold in over[:32]:
            self._move(hold, hold.granted, hold.granted)
            self._report(hold, "failure", now)
            hold.state, hold.used = "expired", list(hold.granted)
        return len(over[:32])

    def _move(self, hold: Hold, back: list[int] | None, used: list[int]) -> None:
        for budget in hold.want.budgets:
            side = self.sides[budget.place]
            count = side.counts.get(budget.field) if side and side.epoch == hold.epochs[budget.place] else None
            if count and count.start == hold.starts[budget.field]:
                count.held -= back[budget.meter - 1] if back else 0
                count.used += used[budget.meter - 1] if budget.kind != "n" else 0

    def _report(self, hold: Hold, outcome: str, now: int) -> None:
        for (place, name), generation in zip(hold.want.breakers, hold.generations, strict=True):
            side = self.sides[place]
            if side and side.epoch == hold.epochs[place] and generation >= 0:
                breaker = side.breakers.setdefault(name, Breaker())
                breaker.look(now)
                breaker.hear(generation, outcome, hold.want.expires, now)
