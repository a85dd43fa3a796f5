"""GUARD: what a function declares about its door, and the decorator that keeps it.

Order of a call: size, method, (preflight), secrets, signature or token, rate, then the function's body. Every refusal
has a name in the log and the same short answer for the caller; an unexpected fault is logged masked, reported, and
answered 500 without its text. What must fail for Lambda's sake raises an error that names no more than the problem:
the runtime prints it past every logger, and sends it to the caller, to failure queues and to X-Ray.

Every call ends in one line with its outcome, its duration and its numbers (shared/metrics.py).
"""

import functools
import logging
import re
from collections.abc import Callable
from typing import Any

from shared import clock, metrics
from shared.abuse.allowance import Allowance
from shared.abuse.local_rate import LocalRate
from shared.clock import Deadline
from shared.cloud import parameters
from shared.errors import Problem, RateExceeded, Refused
from shared.guard.kinds import Cron, Hmac, Kind, Queue
from shared.guard.language import preferred
from shared.guard.request import Caller, HttpCall, Request, arrival_of, read_http
from shared.guard.response import Response, cors_headers, preflight, render, render_problem
from shared.guard.verify.queue import verify_record
from shared.metrics import Call
from shared.privacy import logs, monitoring, scrub
from shared.settings import Secret, Setting, read

Body = Callable[[Request], Response]
Handler = Callable[[dict[str, Any], Any], Any]

# What a function keeps back of its time to answer in.
MARGIN_SECONDS = 0.3
# With less than this a record is not begun: it would be cut in the middle of its effect.
MINIMUM_SECONDS = 1.0
RATE_SECONDS = 60
LONGEST_CARRIED = 100


class Guard:
    """The declaration. Literals only, so that the audit reads it without importing the function.

    `methods` as HTTP names them; `body_limit` in bytes; `seconds` the function's own deadline; `secrets` the names it
    may read; `writes` what it changes; `store_down` what it does when a store is away: "refuse" (503), "degrade" (admit
    in Postgres) or "queue" (later). `rate` is calls a minute: for one user, counted in the shared store; of a webhook,
    in one environment, which counts by itself, so that a provider is heard whatever store is away.

    `consumes` names what it may use up of "ai", "embedding", "file" and "send", and `rates` how often it may, as
    (scope, calls, seconds) of one "tenant", "contact", "member" or "channel" each: an admission
    (shared/abuse/admission.py) takes these, the budgets and the rate in one step, so a function that consumes asks the
    shared store only there.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        seconds: float,
        secrets: tuple[str, ...],
        writes: tuple[str, ...],
        store_down: str,
        methods: tuple[str, ...] = (),
        body_limit: int = 0,
        rate: int = 0,
        consumes: tuple[str, ...] = (),
        rates: tuple[tuple[str, int, int], ...] = (),
    ) -> None:
        self.kind = kind
        self.seconds = seconds
        self.secrets = tuple(Secret(name) for name in secrets)
        self.writes = writes
        self.store_down = store_down
        self.methods = methods
        self.body_limit = body_limit
        self.rate = rate
        self.consumes = consumes
        self.rates = (*rates, ("member", rate, RATE_SECONDS)) if rate and consumes else rates
        # Before a consuming call has reached its admission it has read the database: so often in one environment.
        is_own = bool(consumes) or isinstance(kind, Hmac)
        self._own_rate = LocalRate(rate, RATE_SECONDS) if rate and is_own else None

    def forget_rate(self) -> None:
        """Count calls anew, as a fresh environment does."""
        if self._own_rate is not None:
            self._own_rate.forget()

    def __call__(self, body: Body) -> Handler:
        """Guard `body`; the result is the handler that Lambda calls."""
        function = body.__module__.rpartition(".")[2]
        guard = type(self.kind).__name__.lower()
        if function.partition("_")[0] not in self.kind.prefixes:
            raise TypeError(f"{function}: its prefix does not go with guard {guard}")

        @functools.wraps(body)
        def handler(event: dict[str, Any], context: Any) -> Any:
            logs.configure()
            started = clock.now()
            request_id = str(getattr(context, "aws_request_id", ""))
            with metrics.noting(), logs.carrying(request_id=request_id, function=function, guard=guard):
                try:
                    return self._answer(function, body, event, context, started)
                except _Failed as failed:
                    told = str(failed)
                except KeyboardInterrupt:
                    raise
                except BaseException as error:
                    _log_fault(error, started)
                    told = "fault"
                # Out here the first error is no longer a part of this one, not even as its context.
                raise RuntimeError(scrub(told))

        return handler

    def _answer(self, function: str, body: Body, event: dict[str, Any], context: Any, started: float) -> Any:
        deadline = Deadline(self._seconds_left(context))
        if isinstance(self.kind, Queue):
            return self._answer_records(function, body, event, self.kind, started, deadline)
        if isinstance(self.kind, Cron):
            return self._answer_schedule(function, body, event, self.kind, started, deadline)
        return self._answer_http(function, body, event, started, deadline)

    def _seconds_left(self, context: Any) -> float:
        left: float = context.get_remaining_time_in_millis() / 1000
        return max(0.0, min(self.seconds, left) - MARGIN_SECONDS)

    def _prepare(self) -> None:
        logs.read_share()
        parameters.prepare(self.secrets)

    def _answer_http(
        self, function: str, body: Body, event: dict[str, Any], now: float, deadline: Deadline
    ) -> dict[str, Any]:
        extra: dict[str, str] = {}
        try:
            call = read_http(event, self.body_limit)
            if self.kind.cors:
                extra = cors_headers(call.origin)
                if call.method == "OPTIONS":
                    return preflight(call.origin, self.methods)
            response = self._admitted(function, body, call, arrival_of(event, now), deadline)
            answer = render(response, extra)
        except Problem as problem:
            _log_problem(problem, now)
            return render_problem(problem, extra)
        except Exception as error:
            _log_fault(error, now)
            return render_problem(Problem("fault", 500), extra)
        counted = Call("answered", _milliseconds_since(now))
        logs.calls.info(
            "answered", extra={"status": response.status, "duration_ms": counted.duration_ms, "call": counted}
        )
        return answer

    def _admitted(self, function: str, body: Body, call: HttpCall, now: float, deadline: Deadline) -> Response:
        if call.method not in self.methods:
            raise Refused("method", 405)
        self._prepare()
        caller = self.kind.admit(call, now)
        if isinstance(caller, Response):
            return caller
        self._keep_rate(function, caller, deadline)
        query = {name: values[0] for name, values in call.query.items()}
        raw = call.body if self.kind.signs_body else b""
        language = preferred(call.header("accept-language"))
        allowance = self._allowance(function)
        return body(
            Request(function, caller, now, deadline, raw=raw, query=query, language=language, allowance=allowance)
        )

    def _allowance(self, function: str) -> Allowance:
        return Allowance(function, self.consumes, self.rates, self.store_down)

    def _keep_rate(self, function: str, caller: Caller, deadline: Deadline) -> None:
        if not self.rate:
            return
        if self._own_rate is not None:
            # Unverified deliveries have a rate of their own, so that they delay no verified one.
            wait_here = self._own_rate.wait(caller.user if caller.trusted else "unverified", clock.now())
            if wait_here:
                raise RateExceeded(wait_here)
            return
        # Imported here: the Redis client is for functions that have a shared rate.
        from shared.abuse.shared_rate import wait

        seconds = wait(f"rate:{function}:{caller.user}", self.rate, 60, deadline)
        if seconds:
            raise RateExceeded(seconds)

    def _answer_schedule(
        self, function: str, body: Body, event: dict[str, Any], kind: Cron, now: float, deadline: Deadline
    ) -> dict[str, Any]:
        try:
            self._prepare()
            caller = kind.admit_event(event, function)
            response = body(Request(function, caller, now, deadline, allowance=self._allowance(function)))
        except Problem as problem:
            _log_problem(problem, now)
            # So that the scheduler retries.
            raise _Failed(problem.name) from None
        known, counted = _known(response.body), Call("ran", _milliseconds_since(now))
        logs.calls.info("ran", extra={**known, "duration_ms": counted.duration_ms, "call": counted})
        return response.body

    def _answer_records(
        self, function: str, body: Body, event: dict[str, Any], kind: Queue, now: float, deadline: Deadline
    ) -> dict[str, Any]:
        """Each record on its own; after a failure the later ones of the same group wait for it, to keep the order."""
        failures: list[dict[str, str]] = []
        stopped: set[str] = set()
        try:
            records = _records(event)
            self._prepare()
            arn = read(Setting(f"{kind.name.upper()}_QUEUE_ARN"))
        except Problem as problem:
            _log_problem(problem, now)
            # Every record comes back later.
            raise _Failed(problem.name) from None
        for record in records:
            group = _attribute(record, "MessageGroupId")
            if deadline.remaining() < MINIMUM_SECONDS:
                stopped.add(group)
            if group in stopped or not self._settled(function, body, record, kind, arn, deadline):
                stopped.add(group)
                failures.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failures}

    # What a record's lines carry, and what is noted of it, ends with it.
    @logs.carrying()
    @metrics.noting()
    def _settled(
        self, function: str, body: Body, record: dict[str, Any], kind: Queue, arn: str, deadline: Deadline
    ) -> bool:
        started, age = clock.now(), None
        try:
            age = _queue_age(record, started)
            ids = verify_record(record, kind.name, arn, parameters.live(Secret.QUEUE_KEY), started)
            # A message that stands for many is too long for every line.
            logs.carry(**{name: value for name, value in ids.items() if len(value) <= LONGEST_CARRIED})
            allowance = self._allowance(function)
            response = body(Request(function, Caller(kind="queue"), started, deadline, ids=ids, allowance=allowance))
            outcome = str(response.body.get("outcome", "settled"))
        except Problem as problem:
            _log_problem(problem, started, age)
            return False
        except Exception as error:
            _log_fault(error, started, age)
            return False
        known, counted = _known(response.body), Call(outcome, _milliseconds_since(started), queue_age_ms=age)
        logs.calls.info("settled", extra={**known, "duration_ms": counted.duration_ms, "call": counted})
        return True


class _Failed(Exception):
    """Ends an invocation whose event must come again; its text is the name of the problem, which is in the log."""


def _milliseconds_since(moment: float) -> int:
    return round((clock.now() - moment) * 1000)


def _records(event: object) -> list[dict[str, Any]]:
    """Return the records of an SQS event.

    Raises Refused (`malformed_event`) if one has no id: the answer could not name it, and SQS would delete it.
    """
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        raise Refused("malformed_event", 400)
    if not all(isinstance(record, dict) and isinstance(record.get("messageId"), str) for record in records):
        raise Refused("malformed_event", 400)
    return records


def _attribute(record: dict[str, Any], name: str) -> str:
    attributes = record.get("attributes")
    value = attributes.get(name) if isinstance(attributes, dict) else None
    return value if isinstance(value, str) else ""


def _queue_age(record: dict[str, Any], now: float) -> int | None:
    """How long a record has waited, in milliseconds, by the time at which SQS got it."""
    sent = _attribute(record, "SentTimestamp")
    # Sixteen digits of milliseconds reach beyond every calendar; int() of a longer text is refused by Python.
    return max(0, round(now * 1000) - int(sent)) if re.fullmatch(r"[0-9]{1,16}", sent) else None


def _known(answered: dict[str, Any]) -> dict[str, Any]:
    """What a function answered, to our own log: outcomes and counts. Names that a record has are nothing to log by."""
    return {name: value for name, value in answered.items() if name not in logs.RESERVED}


def _log_problem(problem: Problem, since: float, queue_age_ms: int | None = None) -> None:
    refused = isinstance(problem, Refused)
    milliseconds = _milliseconds_since(since)
    call = Call("refused" if refused else "failed", milliseconds, problem.name if refused else "", queue_age_ms)
    logs.calls.log(
        logging.WARNING if problem.status < 500 else logging.ERROR,
        "refused" if refused else "failed",
        extra={
            "refusal" if refused else "problem": problem.name,
            "status": problem.status,
            "duration_ms": milliseconds,
            "call": call,
        },
    )


def _log_fault(error: BaseException, since: float, queue_age_ms: int | None = None) -> None:
    call = Call("fault", _milliseconds_since(since), queue_age_ms=queue_age_ms)
    logs.calls.error("fault", exc_info=error, extra={"call": call})
    monitoring.report(error)
