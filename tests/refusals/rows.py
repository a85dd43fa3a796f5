"""One row a function: how it is called rightly. The attacks follow from its guard's kind."""

import json
import time
from typing import Any

from local.world import World
from shared import clock
from shared.cloud import objects
from shared.settings import Secret
from tests.refusals.attacks import Consumer, Signed, Target
from tests.refusals.calls import (
    Event,
    Http,
    ask,
    sign_mercadopago,
    sign_meta,
    sign_meta_signed_request,
    sign_paddle,
)
from tests.refusals.console import Console

WHATSAPP = b'{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[]}],"about":"a\\u00e7\\u00e3o"}'
SIGNED_REQUEST = b'{"algorithm":"HMAC-SHA256","issued_at":1700000000,"user_id":"218471","data":{"id":"1"}}'
PAYMENT = b'{"action":"payment.updated","type":"payment","data":{"id":"123456"},"note":"a\\u00e7\\u00e3o"}'
SUBSCRIPTION = b'{"event_id":"evt_01h","event_type":"subscription.updated","data":{"id":"sub_01h"},"note":"\\u00e7"}'


def _member(world: World) -> dict[str, Any]:
    """Claims of the owner's own session."""
    import jwt

    claims: dict[str, Any] = jwt.decode(world.owner.access_token, options={"verify_signature": False})
    return claims


def _with_second_factor(world: World) -> dict[str, Any]:
    now = int(time.time())
    return _member(world) | {
        "aal": "aal2",
        "amr": [{"method": "totp", "timestamp": now}, {"method": "password", "timestamp": now}],
    }


def _console(function: str, body: dict[str, Any] | None = None, strong: bool = False) -> Console:
    prefix, _, subject = function.partition("_")
    path = f"/{prefix}/{subject.replace('_', '-')}"
    encoded = json.dumps(body or {}).encode()
    call = Http("POST", path, {"content-type": "application/json"}, body=encoded)
    return Console(function, call, _with_second_factor if strong else _member, strong)


class OwnersConsole(Console):
    """A console function whose body names the owner's business, which the test knows only when the world runs.

    A body with "conversation" or "media" names one of that business.
    """

    names_tenant = True

    def __init__(self, function: str, body: dict[str, Any]) -> None:
        template = _console(function)
        super().__init__(function, template.call, _member, strong=False)
        self._body = body

    def bearing(self, world: World, token: str) -> Http:
        named = {"conversation": world.conversation()} if "conversation" in self._body else {}
        if "media" in self._body:
            named["media"] = world.media()
        body = json.dumps(self._body | named | {"tenant": world.owner.tenant}).encode()
        return Http("POST", self.call.path, self.call.headers | {"authorization": f"Bearer {token}"}, body=body)


def _cron(function: str) -> Target:
    def tick(world: World) -> Event:
        return {"schedule": function, "authorization": f"Bearer {world.plan.keys.cron}"}

    return Target(function, "cron", tick)


class Invoked(Target):
    """The function that reads files, as queue_ingest invokes it: a kind, and the address of an object that is there."""

    def __init__(self, function: str, caller: str) -> None:
        super().__init__(function, f"internal({caller})", self.payload)

    def payload(self, world: World) -> Event:
        return {"kind": "md", "url": self.address(world)}

    def address(self, world: World, key: str = "refusals/menu.md", age: float = 0) -> str:
        """Sign as queue_ingest, which alone may read the bucket."""
        if key == "refusals/menu.md":
            bucket = world.variables["queue_ingest"]["KNOWLEDGE_BUCKET"]
            world.cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=b"Abrimos a las nueve.")
        with world.functions.seeing(world.variables["queue_ingest"]), clock.held_at(clock.now() - age):
            return objects.reader_address("knowledge", key)


def _public(function: str, **query: str) -> Target:
    prefix, _, subject = function.partition("_")
    return Target(function, "public", lambda world: Http("GET", f"/{prefix}/{subject}", query=query).event())


def _deletion_page(world: World) -> Event:
    """The page of a deletion that Meta has asked for."""
    asked = ask(world, "webhook_meta_privacy", SIGNED["webhook_meta_privacy"].good(world))
    code = json.loads(asked.body)["confirmation_code"]
    return Http("GET", "/public/deletion", query={"code": code}).event()


SIGNED: dict[str, Signed] = {
    "webhook_meta": Signed(
        "webhook_meta",
        "meta",
        sign_meta,
        WHATSAPP,
        secret=Secret.META_APP_SECRET,
        signature="x-hub-signature-256",
        other=Secret.PADDLE_WEBHOOK_SECRET,
    ),
    "webhook_meta_privacy": Signed(
        "webhook_meta_privacy",
        "meta_signed_request",
        sign_meta_signed_request,
        SIGNED_REQUEST,
        secret=Secret.META_APP_SECRET,
        signature="",
        other=Secret.MERCADOPAGO_WEBHOOK_SECRET,
    ),
    "webhook_mercadopago": Signed(
        "webhook_mercadopago",
        "mercadopago",
        sign_mercadopago,
        PAYMENT,
        secret=Secret.MERCADOPAGO_WEBHOOK_SECRET,
        signature="x-signature",
        other=Secret.PADDLE_WEBHOOK_SECRET,
    ),
    "webhook_paddle": Signed(
        "webhook_paddle",
        "paddle",
        sign_paddle,
        SUBSCRIPTION,
        secret=Secret.PADDLE_WEBHOOK_SECRET,
        signature="paddle-signature",
        other=Secret.META_APP_SECRET,
    ),
}

# The keys are read by the audit, which imports nothing: one line a function.
ROWS: dict[str, Target] = {
    "webhook_meta": SIGNED["webhook_meta"],
    "webhook_meta_privacy": SIGNED["webhook_meta_privacy"],
    "webhook_mercadopago": SIGNED["webhook_mercadopago"],
    "webhook_paddle": SIGNED["webhook_paddle"],
    "queue_reply": Consumer("queue_reply", "reply"),
    "queue_send": Consumer("queue_send", "send"),
    "queue_ingest": Consumer("queue_ingest", "ingest"),
    "queue_billing": Consumer("queue_billing", "billing"),
    "cron_recover": _cron("cron_recover"),
    "cron_billing": _cron("cron_billing"),
    "cron_channels": _cron("cron_channels"),
    "cron_retention": _cron("cron_retention"),
    "cron_budgets": _cron("cron_budgets"),
    "cron_evidence": _cron("cron_evidence"),
    "ai_chat": OwnersConsole("ai_chat", {"text": "¿a qué hora abren?"}),
    "ai_suggest": OwnersConsole("ai_suggest", {"conversation": ""}),
    "ai_search": OwnersConsole("ai_search", {"text": "¿a qué hora abren?"}),
    "app_channels": OwnersConsole("app_channels", {}),
    "app_send": OwnersConsole("app_send", {"conversation": "", "idempotency_key": "draft-00007", "text": "Hola."}),
    "app_handoff": OwnersConsole("app_handoff", {"conversation": "", "to": "person"}),
    "app_upload": OwnersConsole("app_upload", {"name": "a.md", "text": "Hola."}),
    "app_settings": _console("app_settings"),
    "app_usage": OwnersConsole("app_usage", {"from": "2026-11-01", "to": "2026-11-30"}),
    "app_checkout": _console("app_checkout"),
    "app_members": _console("app_members"),
    "app_export": _console("app_export"),
    "app_delete_account": _console("app_delete_account", strong=True),
    "public_health": _public("public_health"),
    "public_security": _public("public_security"),
    "public_deletion": Target("public_deletion", "public", _deletion_page),
    "app_replay": OwnersConsole("app_replay", {"what": "turns", "ids": ["00000000-0000-4000-8000-000000000000"]}),
    "queue_media": Consumer("queue_media", "media"),
    "internal_read_file": Invoked("internal_read_file", "queue_ingest"),
    "app_media": OwnersConsole("app_media", {"media": ""}),
}
