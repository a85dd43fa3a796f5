"""The live audit: send the attacks to a running deployment and judge what comes back."""

import json
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from scripts.audit.attacks import Attack, Expected, attacks_on
from scripts.audit.declared import Declared
from scripts.audit.findings import AuditError

CONCURRENT = 4
TIMEOUT_SECONDS = 15.0
# Of an answer that may be anything, no more is read.
READ_BYTES = 64 * 1024
MAXIMUM_REFUSAL = 300  # bytes
PROBLEM = "application/problem+json"
PROBLEM_MEMBERS = {"type", "title", "status", "detail"}
SECURITY_HEADERS = {
    "strict-transport-security": r"max-age=\d{8,}.*",
    "x-content-type-options": r"nosniff",
    "x-frame-options": r"DENY",
    "referrer-policy": r".+",
    "permissions-policy": r".+",
    "content-security-policy": r".*frame-ancestors 'none'.*",
}
_INSIDE = re.compile(r"Traceback|errorType|stackTrace|Exception\b|/var/task|\.py\b|\bline \d")
# Words that would tell a forger that the delivery did something.
_EFFECT = re.compile(
    r"\b(applied|activated|approved|paid|granted|processed|settled|queued|woken|subscription|tenant|balance)", re.I
)
_CLIENT_ERRORS, _SERVER_ERRORS = range(400, 500), range(500, 600)
NOT_BUILT = 501


@dataclass(frozen=True)
class Answer:
    """What came back, header names in lower case; `status` 0 and the cause in `body` when nothing did."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_the_gateways(self) -> bool:
        """API Gateway answers in its own words where it calls no function."""
        return self.status in _CLIENT_ERRORS and _object(self.body).keys() == {"message"}


@dataclass
class Outcome:
    """An attack, its answer, and what is wrong with it."""

    function: Declared
    attack: Attack
    answer: Answer
    complaints: list[str]

    @property
    def verdict(self) -> str:
        """What happened, in capitals where it must not."""
        if not self.complaints:
            refused = self.answer.status in _CLIENT_ERRORS and self.attack.expected is Expected.QUARANTINED
            return str(Expected.REFUSED if refused else self.attack.expected)
        if self.answer.status == NOT_BUILT or 0 < self.answer.status < 400:
            return "LEAK" if self.attack.expected in (Expected.ANSWERED, Expected.NOT_ALLOWED) else "GOT IN"
        return "LEAK" if self.answer.status in _CLIENT_ERRORS else "FAULT"


def probe(
    url: str, functions: Sequence[Declared], origin: str, issuer: str, clock: Callable[[], float] = time.time
) -> list[Outcome]:
    """Attack every function that answers over HTTP, a few requests at a time; in the order of the functions.

    Raises AuditError when there is nothing to attack or nobody at `url`.
    """
    base, now = url.rstrip("/"), clock()
    issuer = issuer or f"{base}/auth/v1"
    todo = [
        (function, attack)
        for function in functions
        if function.kind != "queue" and function.methods
        for attack in attacks_on(function, origin, issuer, now)
    ]
    if not todo:
        raise AuditError("no function answers over HTTP: there is nothing to attack")
    with (
        httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False) as client,
        ThreadPoolExecutor(CONCURRENT) as pool,
    ):
        answers = list(pool.map(lambda one: _send(client, base + one[0].path, one[1]), todo))
    if not any(answer.status for answer in answers):
        raise AuditError(f"nobody answers at {url}: {answers[0].body.decode()}")
    outcomes = [
        Outcome(function, attack, answer, judge(function, attack, answer))
        for (function, attack), answer in zip(todo, answers, strict=True)
    ]
    _compare(outcomes)
    return outcomes


def _send(client: httpx.Client, url: str, attack: Attack) -> Answer:
    address = f"{url}?{attack.query}" if attack.query else url
    headers = [(name.encode(), value.encode("latin-1")) for name, value in attack.headers]
    try:
        with client.stream(attack.method, address, headers=headers, content=attack.body or None) as came:
            body = b""
            for chunk in came.iter_bytes():
                body += chunk
                if len(body) > READ_BYTES:
                    break
            return Answer(came.status_code, {name.lower(): value for name, value in came.headers.items()}, body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Answer(0, body=f"{type(error).__name__}: {error}".encode())


def judge(function: Declared, attack: Attack, answer: Answer) -> list[str]:
    """What is wrong with an answer; nothing when the attack came to what it must come to."""
    if not answer.status:
        return [f"no answer: {answer.body.decode()}"]
    complaints = _judge_status(function, attack, answer)
    if any(name.startswith("access-control-") for name in answer.headers):
        complaints.append("a foreign page may read it")
    if _INSIDE.search(answer.body.decode("utf-8", "replace")):
        complaints.append("it shows the inside")
    if answer.is_the_gateways:
        return complaints
    for name, wanted in SECURITY_HEADERS.items():
        if not re.fullmatch(wanted, answer.headers.get(name, "")):
            complaints.append(f"header {name} is missing or weak")
    if attack.expected is not Expected.ANSWERED and len(answer.body) > MAXIMUM_REFUSAL:
        complaints.append(f"it is longer than {MAXIMUM_REFUSAL} bytes")
    if answer.status in _CLIENT_ERRORS and attack.expected is not Expected.ANSWERED:
        complaints += _judge_problem(answer)
    return complaints


def _judge_status(function: Declared, attack: Attack, answer: Answer) -> list[str]:
    status = answer.status
    if status in _SERVER_ERRORS and status != NOT_BUILT:
        return [f"{status} is a fault, not a refusal"]
    match attack.expected:
        case Expected.ANSWERED:
            built = status < 400 or (status == 404 and not answer.is_the_gateways)
            return [] if built or (status == NOT_BUILT and not function.built) else [f"{status}: anybody may call this"]
        case Expected.NO_ROUTE:
            return [] if status in (404, 405) else [f"{status} where no route should be"]
        case Expected.NOT_ALLOWED:
            return [] if status < 500 else [f"{status} to a preflight"]
        case Expected.QUARANTINED if status == 200:
            said = answer.body.decode("utf-8", "replace")
            return [f"it speaks of an effect: {said[:80]}"] if _EFFECT.search(said) else []
    if status not in _CLIENT_ERRORS:
        return [f"{status} is no refusal"]
    return ["the gateway answered, so the guard was not tried"] if answer.is_the_gateways else []


def _judge_problem(answer: Answer) -> list[str]:
    """RFC 9457, and no more than we promise."""
    complaints = []
    if answer.headers.get("content-type") != PROBLEM:
        complaints.append(f"it is no {PROBLEM}")
    problem = _object(answer.body)
    if problem.get("status") != answer.status or not problem.get("title") or not problem.keys() <= PROBLEM_MEMBERS:
        complaints.append("it is no problem document of ours")
    return complaints


def _compare(outcomes: list[Outcome]) -> None:
    """A refused caller must not learn why: one function, one status, one answer."""
    seen: dict[tuple[str, int], bytes] = {}
    for outcome in outcomes:
        if outcome.verdict == Expected.REFUSED:
            known = seen.setdefault((outcome.function.name, outcome.answer.status), outcome.answer.body)
            if known != outcome.answer.body:
                outcome.complaints.append("it tells this cause from the others")


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
