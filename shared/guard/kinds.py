"""The guard kinds: who may call, as data, and how a call shows it. One class a kind; a file's prefix fixes which.

A kind answers an early question of a scheme itself (Meta's handshake) and otherwise names the caller or raises
Refused. Plain classes: the standard library's data classes would cost a webhook's cold start more than its work.
"""

import logging
from collections.abc import Callable
from typing import ClassVar

from shared.abuse.local_rate import LocalRate
from shared.cloud.parameters import live
from shared.errors import Refused
from shared.guard.request import Caller, HttpCall
from shared.guard.response import Response
from shared.guard.verify import meta
from shared.guard.verify.cron import verify_bearer
from shared.settings import Secret, Setting, read

log = logging.getLogger("portero")


class Kind:
    """What the guard asks of every kind; `prefixes` are those of the files that may declare it."""

    prefixes: ClassVar[tuple[str, ...]]
    cors: ClassVar[bool] = False

    def admit(self, call: HttpCall, now: float) -> Caller | Response:
        """The caller, or the answer that the scheme itself gives. `now`: arrival, seconds since the epoch.

        Raises Refused or Unavailable.
        """
        raise Refused("not_over_http", 403)


class Hmac(Kind):
    """A provider signs. `scheme` is a name of SCHEMES."""

    prefixes = ("webhook",)

    def __init__(self, scheme: str) -> None:
        self._admit = SCHEMES[scheme]

    def admit(self, call: HttpCall, now: float) -> Caller | Response:
        """By the rules of the scheme."""
        return self._admit(call, now)


def _admit_meta(call: HttpCall, now: float) -> Caller | Response:
    if call.method == "GET":
        return Response(text=meta.verify_handshake(call.query, live(Secret.META_VERIFY_TOKEN)))
    place = meta.verify_signature(call.body, call.header("x-hub-signature-256"), live(Secret.META_APP_SECRET))
    _count_old(place, Secret.META_APP_SECRET)
    return Caller(kind="meta")


# A scheme's own branch imports its verifier, so that a webhook starts with one scheme's code only.
SCHEMES: dict[str, Callable[[HttpCall, float], Caller | Response]] = {
    "meta": _admit_meta,
}


class Jwt(Kind):
    """A signed-in person, by an access token of Supabase Auth."""

    prefixes = ("ai", "app")
    cors = True

    def admit(self, call: HttpCall, now: float) -> Caller | Response:
        """The user of the bearer token."""
        # Imported here: the signature library costs more than a webhook's whole cold start.
        from shared.guard.verify.jwt import verify_token

        return verify_token(call.header("authorization"), f"{read(Setting.SUPABASE_URL)}/auth/v1", now)


class Cron(Kind):
    """A schedule, by a bearer secret: in EventBridge's event, or in the header of a POST."""

    prefixes = ("cron",)

    def admit(self, call: HttpCall, now: float) -> Caller | Response:
        """The HTTP trigger."""
        return self.admit_event(call.header("authorization"))

    def admit_event(self, authorization: object) -> Caller:
        """EventBridge's trigger, whose event carries the same secret."""
        _count_old(verify_bearer(authorization, live(Secret.CRON_SECRET)), Secret.CRON_SECRET)
        return Caller(kind="cron")


class Queue(Kind):
    """Records of one of our own queues; `name` is "reply", "send", ..."""

    prefixes = ("queue",)

    def __init__(self, name: str) -> None:
        self.name = name


class Public(Kind):
    """Anybody. The reason why is compulsory, and so is a rate (calls a minute from one address)."""

    prefixes = ("public",)

    def __init__(self, reason: str, rate: int) -> None:
        if len(reason.split()) < 3:
            raise ValueError("a public function needs a written reason")
        self._limit = LocalRate(rate, 60)

    def admit(self, call: HttpCall, now: float) -> Caller | Response:
        """Within the rate, everybody."""
        wait = self._limit.wait(call.source_ip, now)
        if wait:
            raise Refused("rate", 429, retry_after=wait)
        return Caller(kind="public")


def hmac(scheme: str) -> Hmac:
    """A provider's signature. Raises KeyError for a scheme that is not in SCHEMES."""
    return Hmac(scheme)


def jwt() -> Jwt:
    """A signed-in person."""
    return Jwt()


def cron() -> Cron:
    """A schedule with a secret."""
    return Cron()


def queue(name: str) -> Queue:
    """Records of the queue of this name."""
    return Queue(name)


def public(*, reason: str, rate: int) -> Public:
    """Anybody, `rate` times a minute from one address."""
    return Public(reason, rate)


def _count_old(place: int, secret: Secret) -> None:
    """A hit on a secret that is not the newest: the provider has not been given the new one yet."""
    if place:
        log.warning("old secret", extra={"secret": secret.value, "place": place})
