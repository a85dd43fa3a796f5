"""`make demo`: six messages in Spanish and Portuguese, the way of each of them, some attacks, and the operator's log.

Plays in the world that `make dev` runs, or starts one for itself and stops it again. Then eight things that go wrong,
in a world whose time can be moved (local/scenes.py).
"""

import contextlib
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from postgrest import CountMethod

from local import payloads
from local.parts import LOGS, PLAN_FILE
from local.payloads import Customer
from local.plan import PROJECT, Plan, load
from local.scenes import play_all
from local.seed import Owner, as_owner, sign_in
from local.send import NotRunningError, send

# New people each time: whom the last demo handed to a person would get no answer from the assistant.
LUIS = Customer(name="Luis", phone=f"54911{secrets.randbelow(10**8):08}")
ANA = Customer(name="Ana", phone=f"55119{secrets.randbelow(10**8):08}")
BIA = Customer(name="Bia", phone=None, user_id=f"BR.{secrets.token_hex(8)}")

CONVERSATION = (
    (LUIS, "hola, ¿a qué hora abren los sábados?"),
    (ANA, "olá! quanto custa a caneca azul? ☕"),
    (LUIS, "¿hacen envíos al interior?"),
    (BIA, "oi! vocês entregam no Brasil?"),
    (LUIS, "¿puedo pagar en cuotas?"),
    (ANA, "quero falar com uma pessoa, por favor"),
)
START_SECONDS = 120.0
MESSAGE_SECONDS = 30.0
FUNCTIONS = ("webhook_meta", "queue_reply", "queue_send")


def main() -> int:
    """Play the demo. The exit code: 0 when every message came to its outcome and every attack was refused."""
    with _world() as plan:
        owner = sign_in(plan)
        began = _log_sizes()
        print("\nSix messages, as the owner of the shop can look them up:\n")
        played = [_play(plan, owner, number, *line) for number, line in enumerate(CONVERSATION, 1)]
        print("What is refused, and what it left behind:\n")
        refused = [attack.show(plan, owner) for attack in ATTACKS]
        _print_log(began)
    print("\nEight things that go wrong, each message with its outcome and its reply:\n")
    went_well = play_all()
    return 0 if all(played) and all(refused) and went_well else 1


@contextlib.contextmanager
def _world() -> Iterator[Plan]:
    plan = load(PLAN_FILE)
    if plan is not None and _answers(plan):
        yield plan
        return
    print("No world is running: starting one (make dev keeps one running).", flush=True)
    world = subprocess.Popen([sys.executable, "-m", "local.dev"], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    try:
        yield _started(world)
    finally:
        world.send_signal(signal.SIGINT)
        world.communicate()


def _started(world: "subprocess.Popen[str]") -> Plan:
    assert world.stdout is not None
    for line in world.stdout:
        print(f"  {line}", end="", flush=True)
        plan = load(PLAN_FILE)
        if plan is not None and "local.send" in line and _answers(plan):
            return plan
    raise SystemExit("The world did not start; the lines above say why.")


def _answers(plan: Plan) -> bool:
    try:
        return httpx.get(f"{plan.url('gateway')}/public/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _play(plan: Plan, owner: Owner, number: int, customer: Customer, words: str) -> bool:
    """Send one message and show its way; whether it came to an outcome and its reply was read."""
    try:
        sent = send(plan, "whatsapp", words, customer=customer, escaped=number % 2 == 0)
    except NotRunningError as error:
        raise SystemExit(str(error)) from None
    way = _way(plan, owner, sent.message_id)
    print(f"{number}. {customer.name}: {words}")
    if way is None:
        print(f"   no outcome within {MESSAGE_SECONDS:.0f} s; .local/logs tells why\n")
        return False

    def after(name: str) -> str:
        moment = way[name]
        return f"+{(datetime.fromisoformat(moment).timestamp() - sent.time) * 1000:.0f} ms" if moment else "never"

    clock = datetime.fromtimestamp(sent.time).strftime("%H:%M:%S.%f")[:-3]
    print(f"   signed webhook   {clock}  HTTP {sent.status}")
    print(f"   kept             {after('received_at')}")
    print(f"   outcome          {after('settled_at')}  {way['outcome']}")
    print(f"   reply            {way['reply']}")
    print(f"   sent             {after('sent_at')}  then {way['reply_status']} (Meta's status)")
    print(f"   looked up in     {', '.join(way['sources']) or '-'}\n")
    return bool(way["reply_status"] == "read")


def _way(plan: Plan, owner: Owner, message_id: str) -> dict[str, Any] | None:
    """The message's line of the timeline, once its reply was read; seen with the owner's rights."""
    timeline = as_owner(plan, owner).from_("timeline")
    end = time.monotonic() + MESSAGE_SECONDS
    way = None
    while time.monotonic() < end:
        found: list[Any] = timeline.select("*").eq("provider_id", message_id).execute().data
        if found and found[0]["outcome"]:
            way = found[0]
            if way["reply_status"] == "read":
                break
        time.sleep(0.1)
    return way


@dataclass(frozen=True)
class Attack:
    """A request that must not get through: what is wrong with it, and the status it has to get."""

    name: str
    status: int
    method: str = "POST"
    body: bytes = b""
    signed: bool = True

    def show(self, plan: Plan, owner: Owner) -> bool:
        """Try it, and say what came back and what was written."""
        before = _rows(plan, owner)
        secret = plan.keys.meta_app_secret if self.signed else "a guess"
        headers = {
            "content-type": "application/json",
            "x-hub-signature-256": payloads.sign(self.body, secret),
        }
        url = f"{plan.url('gateway')}/webhook/meta"
        answer = httpx.request(self.method, url, content=self.body, headers=headers, timeout=30)
        written = _rows(plan, owner) - before
        print(f"   {self.name:<24} HTTP {answer.status_code}  {answer.text[:72]:<74} {written} rows written")
        return answer.status_code == self.status and written == 0


def _rows(plan: Plan, owner: Owner) -> int:
    client = as_owner(plan, owner)
    counts = [
        client.from_(table).select("id", count=CountMethod.exact).limit(1).execute().count
        for table in ("inbox", "contacts")
    ]
    return sum(count or 0 for count in counts)


_HELLO = payloads.encode(payloads.whatsapp_message(payloads.text("hola"), LUIS))
ATTACKS = (
    Attack("wrong signature", 401, body=_HELLO, signed=False),
    Attack("wrong method", 404, method="PUT", body=_HELLO),
    Attack("broken JSON, signed", 400, body=b'{"object": '),
    Attack("3 MB and a byte, signed", 413, body=b"x" * (3 * 1024 * 1024 + 1)),
    Attack(
        "unknown number, signed",
        200,
        body=payloads.encode(payloads.whatsapp_message(payloads.text("hola"), LUIS, number_id="999999999999999")),
    ),
)


def _log_sizes() -> dict[Path, int]:
    return {path: path.stat().st_size for path in LOGS.glob("*.log")}


def _print_log(began: dict[Path, int]) -> None:
    """The operator's lines of this demo, and a search for what must not be in them."""
    lines: list[str] = []
    for function in FUNCTIONS:
        path = LOGS / f"{function}.log"
        with path.open() as log:
            log.seek(began.get(path, 0))
            lines += [line for line in log.read().splitlines() if line.startswith("{")]
    lines.sort(key=lambda line: str(json.loads(line).get("time")))
    print("\nThe log, as an operator sees it (the last lines of three functions):\n")
    for line in lines[-8:]:
        # But for the names of the metrics, which are for CloudWatch.
        shown = {name: value for name, value in json.loads(line).items() if name != "_aws"}
        print(f"   {json.dumps(shown)}")
    personal = [LUIS.phone, ANA.phone, BIA.user_id, *(words for _, words in CONVERSATION)]
    leaks = [line for line in lines if any(value and value in line for value in personal)]
    print(f"\n{len(lines)} lines, {len(leaks)} with a customer's number, id or words.")


if __name__ == "__main__":
    sys.exit(main())
