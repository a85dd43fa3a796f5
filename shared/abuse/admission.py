"""Admission: one round trip that takes rates, breaker, concurrency and every budget of a call, or none of them.

The decision is the script's (admission.lua). Here stand the typed face of it, what a call asks for, and the hold's way
to its end: a Grant is a context manager, and whichever way its block is left, the hold is settled with what is known.
What may have been used and is not known is charged in full.
"""

import math
import secrets
import signal
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Literal, NamedTuple, Protocol, Self

from shared import clock, metrics
from shared.abuse.allowance import METERS, Allowance, Asking
from shared.abuse.rate_limit import Policy
from shared.abuse.windows import Windows, windows
from shared.clock import Deadline
from shared.cloud.upstash import Script, StoreAway, run_script, skew
from shared.data.budget_rows import BudgetFacts, FallbackDecision, Opened, OpenedSide, Reason
from shared.errors import Problem, Refused

# How much longer than its request a hold lives: whoever holds it has ended by then.
HOLD_MARGIN_SECONDS = 5.0
# The longest hold: no function runs longer than a minute. A budget that is opened anew waits for it.
LONGEST_HOLD_SECONDS = 60.0
# Beyond this the script would not write all digits of a sum.
AMOUNT_LIMIT = 10**13
ATTEMPTS = 4
AWAY_RETRY_SECONDS = 5
OPENING_RETRY_SECONDS = 2
JITTER_PERCENT = 10

Provider = Literal["model", "meta"]
Outcome = Literal["success", "failure", "slow", "neutral"]

# What waiting does not change soon, what it does, and what is ours to mend: status and problem type of each.
_PROBLEMS: dict[str, tuple[int, str]] = {
    "too_large": (413, ""),
    "rate": (429, "quota-exceeded"),
    "concurrency": (429, "quota-exceeded"),
    "budget_spent": (429, "quota-exceeded"),
    "budget_held": (429, "quota-exceeded"),
}
_REDUCED = (503, "temporary-reduced-capacity")

_WINDOW_LETTERS = {"day": "d", "month": "m", "now": "n"}


class Want(NamedTuple):
    """What a call asks for. `meters`: the least it can do with and what it would like, in whole units.

    `breakers` are the things it depends on: a name alone stands for something of the provider's ("chat:gpt-4o-mini"),
    one of the tenant's own (a credential) is in `own_breakers`.
    """

    provider: Provider
    meters: Mapping[str, tuple[int, int]]
    contact: str = ""
    member: str = ""
    channel: str = ""
    breakers: tuple[str, ...] = ()
    own_breakers: tuple[str, ...] = ()


class Usage(NamedTuple):
    """A hold's end, as the ledger keeps it."""

    hold: str
    want: Want
    function: str
    used: Mapping[str, int]
    epoch: int
    seq: int
    admitted_at: float


class Alert(NamedTuple):
    """A budget that has reached `level` per cent of its limit in the window from `start` (milliseconds)."""

    policy: str
    start: int
    level: int


class Books(Protocol):
    """The database's side of a budget: as the server sees it, or as a person does with their own rights."""

    def facts(self) -> BudgetFacts:
        """Limits, time zone and epochs, as they are now."""

    def open(self, tokens: tuple[str, str], provider: str, own: Windows, platform: Windows) -> Opened:
        """Answer a store without a state: the tenant's token and the provider's, empty where that side has one."""

    def record(self, usage: Usage, alerts: list[Alert]) -> None:
        """Write it down now, where that is allowed; cron_budgets does it otherwise."""

    def admit(self, hold: str, want: Want, function: str, seconds: float, own: Windows) -> FallbackDecision:
        """Admit in the database, while the store is away."""

    def settle(self, hold: str, used: Mapping[str, int]) -> int:
        """End such a hold; the overdraft."""


class Account:
    """Whose budget it is: what is known of a tenant's limits, and how its books are reached."""

    def __init__(self, facts: BudgetFacts, books: Books) -> None:
        self.tenant = facts.tenant
        self.facts = facts
        self.books = books


class Denied(NamedTuple):
    """Nothing was taken. `policy` is the limit or rate that said no; `retry_after` whole seconds, None for never."""

    reason: Reason
    policy: str = ""
    retry_after: int | None = None

    @property
    def passes(self) -> bool:
        """Whether it is worth to come again within minutes."""
        return self.reason not in ("stopped", "too_large", "budget_spent")

    def problem(self) -> Problem:
        """As whoever called hears it."""
        status, type_name = _PROBLEMS.get(self.reason, _REDUCED)
        # One name for all: the metric of denials tells the reasons apart.
        refusal = Refused("admission_denied", status, retry_after=self.retry_after)
        refusal.type_name = type_name
        refusal.violated = (self.policy,) if self.policy and status == 429 else ()
        return refusal


class Grant:
    """A hold, and what came of it so far.

    `dispatch` says that from here on something may be charged; `spend` says what was; `tell` how a dependency did.
    """

    def __init__(
        self, hold: str, granted: Mapping[str, int], policies: tuple[Policy, ...], end: Callable[["Grant"], None]
    ) -> None:
        self.hold = hold
        self.granted = granted
        self.policies = policies
        self.throttled_ms = 0
        self.outcomes: dict[str, Outcome] = {}
        self._spent = dict.fromkeys(granted, 0)
        self._at_risk: set[str] = set()
        self._end: Callable[[Grant], None] | None = end
        self._previous: Any = None

    def left(self, meter: str) -> int:
        """What is granted and neither spent nor at risk."""
        return 0 if meter in self._at_risk else max(0, self.granted.get(meter, 0) - self._spent.get(meter, 0))

    def dispatch(self, *meters: str) -> None:
        """Something that these meters count is on its way. Raises ValueError for what was never granted."""
        for meter in meters:
            if meter not in self.granted:
                raise ValueError(f"{meter} is not in this grant")
        self._at_risk.update(meters)

    def spend(self, **amounts: int) -> None:
        """What was used, in whole units; the meters named are no longer at risk. Raises ValueError."""
        for meter, amount in amounts.items():
            if meter not in self.granted or not _is_amount(amount):
                raise ValueError(f"{meter}: not granted, or no whole amount")
            self._spent[meter] += amount
            self._at_risk.discard(meter)

    def tell(self, dependency: str, outcome: Outcome, throttled_seconds: float = 0.0) -> None:
        """How a dependency did. `throttled_seconds`: how long its provider asks everybody to wait."""
        self.outcomes[dependency] = outcome
        self.throttled_ms = max(self.throttled_ms, min(int(throttled_seconds * 1000), 3_600_000))

    @property
    def used(self) -> dict[str, int]:
        """By meter: what was spent, and the whole hold where something is at risk."""
        return {
            meter: max(spent, self.granted[meter]) if meter in self._at_risk else spent
            for meter, spent in self._spent.items()
        }

    def settle(self) -> None:
        """End the hold; the second time does nothing. Never raises: what fails is charged when the hold expires."""
        end, self._end = self._end, None
        if end is not None:
            end(self)

    def __enter__(self) -> Self:
        # The runtime is told to end with SIGTERM, which by itself would leave no block.
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGTERM, _leave)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.settle()
        finally:
            if self._previous is not None:
                signal.signal(signal.SIGTERM, self._previous)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def admit(request: Asking, account: Account, want: Want) -> Grant | Denied:
    """A hold for `want`, or the reason why not.

    Raises ValueError for what is no whole amount from 0 to 10^13, or for a meter that the function's guard does not
    declare; Problem or Unavailable where the database is needed and away.
    """
    _check(request.allowance, want)
    hold = str(uuid.uuid4())
    try:
        decision = _ask(request, account, want, hold)
    except StoreAway:
        decision = _without_store(request, account, want, hold)
    if isinstance(decision, Denied):
        metrics.note_denial(decision.reason)
    return decision


def _check(allowance: Allowance, want: Want) -> None:
    allowed = {meter for resource in allowance.consumes for meter in METERS[resource]}
    for meter, (least, wanted) in want.meters.items():
        if meter not in allowed:
            raise ValueError(f"{allowance.function} does not declare that it consumes {meter}")
        if not (_is_amount(least) and _is_amount(wanted) and least <= wanted):
            raise ValueError(f"{meter}: a whole amount, the least no more than what is wanted")
    if not want.meters:
        raise ValueError("nothing is wanted")


def _is_amount(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= AMOUNT_LIMIT


def _ask(request: Asking, account: Account, want: Want, hold: str) -> Grant | Denied:
    for _ in range(ATTEMPTS):
        now = clock.now() + skew()
        plan = Plan(request.allowance, account, want, now)
        answer = run_script(script(), plan.keys, plan.admission(hold, now, request.deadline), request.deadline)
        match answer:
            case ["admitted", *rest]:
                return plan.grant(hold, now, rest, request.deadline)
            case ["denied", reason, kind, position, retry]:
                return plan.denied(reason, kind, int(position), int(retry))
            case ["stale"]:
                account.facts = account.books.facts()
            case ["init", own, platform]:
                if not _opened(account, want.provider, (own, platform), plan, request.deadline):
                    break
            case _:
                raise StoreAway("redis_malformed")
    return Denied("rebuilding", retry_after=_jittered(OPENING_RETRY_SECONDS))


def _without_store(request: Asking, account: Account, want: Want, hold: str) -> Grant | Denied:
    if request.allowance.store_down != "degrade":
        return Denied("store_away", retry_after=_jittered(AWAY_RETRY_SECONDS))
    now = clock.now()
    plan = Plan(request.allowance, account, want, now)
    seconds = _hold_seconds(request.deadline)
    decision = account.books.admit(hold, want, request.allowance.function, seconds, plan.own)
    if decision.state == "admitted":
        return Grant(hold, decision.granted, (), lambda grant: _settle_without_store(account.books, grant))
    retry = None if decision.retry_ms is None else _jittered(decision.retry_ms / 1000)
    if decision.reason == "budget_spent":
        retry = _jittered((plan.own.day if ".day." in decision.policy else plan.own.month).end / 1000 - now)
    return Denied(decision.reason, decision.policy, retry)


def _settle_without_store(books: Books, grant: Grant) -> None:
    try:
        metrics.note_overdraft(books.settle(grant.hold, grant.used))
    except Problem:
        # Charged in full when it expires.
        metrics.note_unsettled()


def _opened(account: Account, provider: str, tokens: tuple[str, str], plan: "Plan", deadline: Deadline) -> bool:
    """Seed what has no state from the ledger; False while that has to wait."""
    opened = account.books.open(tokens, provider, plan.own, plan.platform)
    sides = ((opened.tenant, plan.keys[0], plan.own), (opened.provider, plan.keys[2], plan.platform))
    for side, key, its_windows in sides:
        if side is not None and side.opens_in_ms > 0:
            return False
        if side is not None:
            run_script(script(), [key], seeding(side, its_windows), deadline)
    account.facts = account.books.facts()
    return True


def seeding(side: OpenedSide, its_windows: Windows) -> list[str]:
    """The arguments of the script's `seed` for one hash."""
    arguments = ["seed", str(side.epoch), str(side.version), " ".join(side.stopped), *_numbers(its_windows)]
    counters = [counter for counter in side.counters if counter.used > 0]
    arguments.append(str(len(counters)))
    for counter in counters:
        field = budget_field(counter.scope, counter.id, counter.window, counter.meter)
        arguments += [field, _WINDOW_LETTERS[counter.window], str(counter.used)]
    return arguments


def budget_field(scope: str, identity: str, window: str, meter: str) -> str:
    """The name of a budget's field in its hash."""
    return f"u:{scope}:{identity}:{window}:{meter}"


def tenant_key(tenant: str) -> str:
    """The tenant's hash."""
    return f"portero:t:{tenant}"


def holds_key(tenant: str, provider: str) -> str:
    """The index of a tenant's open holds at one provider."""
    return f"portero:t:{tenant}:{provider}"


def provider_key(provider: str) -> str:
    """The hash of a provider, for all tenants."""
    return f"portero:p:{provider}"


@cache
def script() -> Script:
    """The admission script."""
    return Script(Path(__file__).with_name("admission.lua").read_text())


class _Budget(NamedTuple):
    """A limit that applies: its `field` in the hash at `place` (t or p), `meter` counted from one."""

    place: str
    name: str
    limit: int
    field: str
    letter: str
    meter: int


class Plan:
    """A want, as the script takes it: fields, limits and windows."""

    def __init__(self, allowance: Allowance, account: Account, want: Want, now: float) -> None:
        facts, provider = account.facts, want.provider
        self._allowance, self._account, self._want = allowance, account, want
        self.own = windows(facts.time_zone, now)
        self.platform = windows("UTC", now)
        self.keys = [tenant_key(account.tenant), holds_key(account.tenant, provider), provider_key(provider)]
        # The last one counts calls: what is open at once.
        self._meters = [*want.meters, "calls"]
        scopes = {"tenant": "", "contact": want.contact, "member": want.member, "channel": want.channel}
        self._rates = [
            (scope, calls, seconds, f"r:{scope}:{scopes[scope]}:{allowance.function}")
            for scope, calls, seconds in allowance.rates
            if scope == "tenant" or scopes[scope]
        ]
        self._budgets = [*self._applying("t", facts.limits, scopes)]
        self._budgets += self._applying("p", facts.providers[provider].limits, {"platform": ""})
        self._breakers = [("p", name) for name in want.breakers] + [("t", name) for name in want.own_breakers]

    def _applying(self, place: str, limits: Mapping[str, int], scopes: Mapping[str, str]) -> Iterator[_Budget]:
        """The limits that this want runs into: of a meter that it uses, in a scope that it names."""
        for name, limit in limits.items():
            scope, window, meter = name.split(".")
            if meter in self._meters and (scope in ("tenant", "platform") or scopes[scope]):
                field = budget_field(scope, scopes[scope], window, meter)
                yield _Budget(place, name, limit, field, _WINDOW_LETTERS[window], self._meters.index(meter) + 1)

    def admission(self, hold: str, now: float, deadline: Deadline) -> list[str]:
        """The arguments of `admit`, in the order in which the script takes them."""
        facts, want = self._account.facts, self._want
        platform = facts.providers[want.provider]
        milliseconds = int(now * 1000)
        arguments = [
            "admit",
            hold,
            str(milliseconds),
            str(milliseconds + int(_hold_seconds(deadline) * 1000)),
            want.provider,
            self._about(),
            *(str(facts.epoch), str(facts.seq), str(facts.version), *_numbers(self.own)),
            *(str(platform.epoch), "0", str(platform.version), *_numbers(self.platform)),
            " ".join(self._allowance.consumes),
            self._entries(),
            *(str(len(self._meters)), str(len(self._rates)), str(len(self._budgets)), str(len(self._breakers))),
        ]
        for least, wanted in want.meters.values():
            arguments += (str(least), str(wanted))
        arguments += ("1", "1")
        for _, calls, seconds, field in self._rates:
            arguments += (field, str(seconds * 1_000_000 // calls), str(seconds * 1_000_000))
        for budget in self._budgets:
            arguments += (budget.place, budget.field, budget.letter, str(budget.limit), str(budget.meter))
        for place, name in self._breakers:
            arguments += (place, f"b:{name}")
        return arguments

    def _about(self) -> str:
        """What the ledger's row needs to know, if cron_budgets writes it: see shared/abuse/upkeep.py."""
        want = self._want
        parts = (self._allowance.function, want.channel, want.contact, want.member, want.provider, *want.meters)
        return "/".join(parts)

    def _entries(self) -> str:
        budgets = " ".join(f"{budget.place} {budget.field} {budget.letter} {budget.meter}" for budget in self._budgets)
        return f"{budgets} | {' '.join(f'{place} b:{name}' for place, name in self._breakers)}"

    def grant(self, hold: str, now: float, answer: list[Any], deadline: Deadline) -> Grant:
        """What the script admitted: epoch, seq, the amounts, and what is left of each rate and budget."""
        epoch, seq, count = (int(value) for value in answer[:3])
        amounts = [int(value) for value in answer[3 : 3 + count]]
        granted = dict(zip(self._want.meters, amounts, strict=False))
        left = [int(value) for value in answer[3 + count :]]

        def end(grant: Grant) -> None:
            usage = Usage(hold, self._want, self._allowance.function, grant.used, epoch, seq, now)
            self._settle(grant, usage, deadline)

        return Grant(hold, granted, self._policies(left, now), end)

    def denied(self, reason: Any, kind: str, position: int, retry_ms: int) -> Denied:
        """What the script refused."""
        policy = ""
        if kind == "rate":
            policy = f"{self._rates[position - 1][0]}.calls"
        elif kind == "budget":
            policy = self._budgets[position - 1].name
        elif kind == "breaker":
            policy = self._breakers[position - 1][1]
        retry = None if reason in ("too_large", "stopped") else _jittered(retry_ms / 1000)
        if reason == "budget_spent":
            window = self._window_of(policy)
            self._alert([Alert(policy, window.start, 100)])
        return Denied(reason, policy, retry)

    def _alert(self, alerts: list[Alert]) -> None:
        for alert in alerts:
            metrics.note_alert(alert.policy, alert.level)

    def _window_of(self, policy: str) -> Any:
        its_windows = self.platform if policy.startswith("platform.") else self.own
        return its_windows.day if ".day." in policy else its_windows.month

    def _policies(self, left: list[int], now: float) -> tuple[Policy, ...]:
        """Rates and the tenant's own budgets: what is left in the platform's is nobody's business."""
        found = [
            Policy(f"{scope}.calls", calls, seconds, remaining, None, "requests")
            for (scope, calls, seconds, _), remaining in zip(self._rates, left, strict=False)
        ]
        for budget, remaining in zip(self._budgets, left[len(self._rates) :], strict=False):
            if budget.place == "t" and budget.letter != "n":
                window = self._window_of(budget.name)
                seconds, reset = (window.end - window.start) // 1000, max(0, math.ceil(window.end / 1000 - now))
                unit = budget.name.rpartition(".")[2]
                found.append(Policy(budget.name, budget.limit, seconds, remaining, reset, unit))
        return tuple(found)

    def _settle(self, grant: Grant, usage: Usage, deadline: Deadline) -> None:
        alerts: list[Alert] = []
        try:
            # Ending a hold is worth a moment even when the request's own time is up.
            answer = run_script(script(), self.keys, self._settlement(grant), Deadline(max(1.0, deadline.remaining())))
            alerts = self._read_settlement(answer)
        except (StoreAway, ValueError, IndexError):
            # It is charged in full when it expires; the ledger gets what it was.
            metrics.note_unsettled()
        try:
            self._account.books.record(usage, alerts)
        except Problem:
            # The record waits in the store for cron_budgets.
            metrics.note_unsettled()

    def _settlement(self, grant: Grant) -> list[str]:
        now = clock.now() + skew()
        used = [*grant.used.values(), 0]
        arguments = ["settle", grant.hold, str(int(now * 1000)), self._want.provider, str(grant.throttled_ms)]
        arguments += (str(len(used)), str(len(self._budgets)), str(len(self._breakers)), *map(str, used))
        for budget in self._budgets:
            arguments += (budget.place, budget.field)
        for place, name in self._breakers:
            arguments += (place, f"b:{name}", grant.outcomes.get(name, "neutral"))
        return arguments

    def _read_settlement(self, answer: list[Any]) -> list[Alert]:
        metrics.note_overdraft(int(answer[1]))
        names = {budget.field: budget.name for budget in self._budgets}
        alerts, end = [], 4 + 4 * int(answer[2])
        for at in range(4, end, 4):
            _, field, start, level = answer[at : at + 4]
            alerts.append(Alert(names[field], int(start), int(level)))
        for at in range(end, len(answer), 2):
            metrics.note_breaker(answer[at].partition(":")[2], answer[at + 1])
        self._alert(alerts)
        return [alert for alert in alerts if not alert.policy.startswith("platform.")]


def _hold_seconds(deadline: Deadline) -> float:
    return min(LONGEST_HOLD_SECONDS, deadline.remaining() + HOLD_MARGIN_SECONDS)


def _numbers(its_windows: Windows) -> list[str]:
    (day, day_end), (month, month_end) = its_windows
    return [str(day), str(day_end), str(month), str(month_end)]


def _jittered(seconds: float) -> int:
    """Whole seconds, never earlier, and up to a tenth later, so that those who wait do not come back together."""
    whole = max(1, math.ceil(seconds))
    return whole + secrets.randbelow(max(2, whole * JITTER_PERCENT // 100 + 1))
