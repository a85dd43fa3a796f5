"""Write to the assistant as a customer would: a signed webhook, and then the answer.

python -m local.send whatsapp "hola, ¿a qué hora abren?" [--from 5491155550101] [--name Ana] [--number ID]
                     [--wrong-signature]
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from local import payloads
from local.parts import PLAN_FILE
from local.payloads import Customer, Json
from local.plan import Plan, load

Channel = Literal["whatsapp", "instagram", "messenger"]
CHANNELS: tuple[Channel, ...] = ("whatsapp", "instagram", "messenger")
ACCOUNTS: dict[Channel, str] = {
    "whatsapp": payloads.DEMO_NUMBER_ID,
    "instagram": payloads.DEMO_INSTAGRAM_ID,
    "messenger": payloads.DEMO_PAGE_ID,
}
DEADLINE = 30.0  # seconds to wait for an answer
POLL = 0.1  # seconds
NOT_RUNNING = "The world is not running. Start it in another terminal: make dev"


class NotRunningError(RuntimeError):
    """Nobody listens where the plan says."""


@dataclass(frozen=True)
class SentMessage:
    """A message that was posted to our webhook. `status` is the HTTP status that it got; `time` is unix seconds."""

    channel: Channel
    account: str
    customer: str
    name: str
    text: str
    message_id: str
    time: float
    status: int
    sent_before: int  # how many answers the simulator had accepted when this was sent


@dataclass(frozen=True)
class Answer:
    """A message that the assistant sent. `time` is unix seconds."""

    id: str
    type: str
    text: str | None
    time: float


def send(
    plan: Plan,
    channel: Channel,
    text: str,
    *,
    customer: Customer | None = None,
    account: str | None = None,
    message_id: str | None = None,
    wrong_signature: bool = False,
    escaped: bool = True,
) -> SentMessage:
    """Post one message to the webhook of the running world, signed as Meta signs.

    `account` is the phone number id, page id or Instagram id that is written to. A rightly signed message opens the
    24 hour window in the simulator, as a real one does. Raises NotRunningError.
    """
    customer = customer or Customer()
    account = account or ACCOUNTS[channel]
    message_id, body = _webhook_body(channel, text, customer, account, message_id)
    encoded = payloads.encode(body, escaped=escaped)
    secret = "not the app secret" if wrong_signature else plan.keys.meta_app_secret
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": payloads.sign(encoded, secret)}
    try:
        with _client() as client:
            sent_before = client.get(f"{plan.url('meta')}/_local/sent").json()["count"]
            if not wrong_signature:
                window = {"number": account, "contact": customer.identity}
                client.post(f"{plan.url('meta')}/_local/open_window", json=window).raise_for_status()
            began = time.time()
            answer = client.post(f"{plan.url('gateway')}/webhook/meta", content=encoded, headers=headers)
    except httpx.ConnectError as error:
        raise NotRunningError(NOT_RUNNING) from error
    return SentMessage(
        channel=channel,
        account=account,
        customer=customer.identity,
        name=customer.name,
        text=text,
        message_id=message_id,
        time=began,
        status=answer.status_code,
        sent_before=sent_before,
    )


def wait_for_answer(plan: Plan, sent: SentMessage, deadline: float = DEADLINE) -> Answer | None:
    """The first message to this customer after `sent`, or None after `deadline` seconds. Raises NotRunningError."""
    address = f"{plan.url('meta')}/_local/sent"
    end = time.monotonic() + deadline
    try:
        with _client() as client:
            while time.monotonic() < end:
                told = client.get(address, params={"to": sent.customer, "after": sent.sent_before}).json()["sent"]
                to_us = [answer for answer in told if answer["number_id"] == sent.account]
                if to_us:
                    return Answer(**{name: to_us[0][name] for name in ("id", "type", "text", "time")})
                time.sleep(POLL)
    except httpx.ConnectError as error:
        raise NotRunningError(NOT_RUNNING) from error
    return None


def _client() -> httpx.Client:
    # Loopback only: no proxy from the environment, no certificates to load.
    return httpx.Client(timeout=DEADLINE, trust_env=False, verify=False)


def _webhook_body(
    channel: Channel, text: str, customer: Customer, account: str, message_id: str | None
) -> tuple[str, Json]:
    """The message's id and the webhook body that carries it."""
    if channel == "whatsapp":
        message_id = message_id or payloads.new_wamid(customer.identity)
        content = payloads.text(text)
        return message_id, payloads.whatsapp_message(content, customer, message_id=message_id, number_id=account)
    if channel == "instagram":
        body = payloads.instagram_text(text, customer.identity, account_id=account, mid=message_id)
    else:
        body = payloads.messenger_text(text, customer.identity, page_id=account, mid=message_id)
    return body["entry"][0]["messaging"][0]["message"]["mid"], body


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0 when an answer came, 1 when not."""
    options = _read_arguments(arguments)
    plan = load(PLAN_FILE)
    if plan is None:
        print(NOT_RUNNING)
        return 1
    try:
        sent = send(
            plan,
            options.channel,
            options.text,
            customer=Customer(phone=options.sender, name=options.name),
            account=options.number,
            wrong_signature=options.wrong_signature,
        )
        _print_line(sent.time, f"{sent.name} ({sent.customer}) to {sent.channel} {sent.account}", sent.text)
        if sent.status != 200:
            print(f"The webhook refused it with HTTP {sent.status}.")
            return 1
        answer = wait_for_answer(plan, sent, DEADLINE)
    except NotRunningError as error:
        print(error)
        return 1
    if answer is None:
        print(
            f"Nothing was sent to {sent.name} within {DEADLINE:.0f} s. A person may have taken over the conversation; "
            "else .local/logs/ tells why."
        )
        return 1
    _print_line(answer.time, f"the assistant, {answer.time - sent.time:.1f} s later", answer.text or f"({answer.type})")
    return 0


def _read_arguments(arguments: Sequence[str] | None) -> Any:
    parser = argparse.ArgumentParser(prog="python -m local.send", description="Write to the assistant as a customer.")
    parser.add_argument("channel", choices=CHANNELS)
    parser.add_argument("text")
    parser.add_argument("--from", dest="sender", default=payloads.DEMO_CUSTOMER, help="phone number or user id")
    parser.add_argument("--name", default="Ana")
    parser.add_argument("--number", help="the phone number id, page id or Instagram id that is written to")
    parser.add_argument("--wrong-signature", action="store_true", help="sign with another secret, as a forger would")
    return parser.parse_args(arguments)


def _print_line(at: float, who: str, text: str) -> None:
    print(f"{time.strftime('%H:%M:%S', time.localtime(at))}  {who}\n          " + text.replace("\n", "\n          "))


if __name__ == "__main__":
    sys.exit(main())
