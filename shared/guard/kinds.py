"""The guard kinds: who may call, as data, and how a call shows it. One class a kind; a file's prefix fixes which.

A kind answers an early question of a scheme itself (Meta's handshake) and otherwise names the caller or raises Refused.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from shared.abuse.local_rate import LocalRate
from shared.cloud.parameters import live
from shared.errors import Refused
from shared.guard.request import Caller, HttpCall
from shared.guard.response import Response
from shared.guard.verify import meta
from shared.guard.verify.cron import verify_bearer
from shared.settings import Secret, Setting, read


@dataclass(frozen=True)
class Hmac:
    """A provider signs the body. `scheme`: "meta"."""

    scheme: str
    prefixes: ClassVar[tuple[str, ...]] = ("webhook",)
    cors: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.scheme != "meta":
            raise ValueError(f"no such signature scheme: {self.scheme}")

    def admit(self, call: HttpCall, now: float) -> Caller | Response:
        """Meta's signature over the raw body, or the answer to its handshake."""
        if call.method == "GET":
            return Response(text=meta.verify_handshake(call.query, live(Secret.META_VERIFY_TOKEN)))
        meta.verify_signature(call.body, call.header("x-hub-signature-256"), live(Secret.META_APP_SECRET))
        return Caller(kind="meta")


@dataclass(frozen=True)
class Jwt:
    """A signed-in person, by an access token of Supabase Auth."""

    prefixes: ClassVar[tuple[str, ...]] = ("ai", "app")
    cors: ClassVar[bool] = True

    def admit(self, call: HttpCall, now: float) -> Caller | Response:
        """The user of the bearer token."""
        # Imported here: the signature library costs more than a webhook's whole cold start.
        from shared.guard.verify.jwt import verify_token

        return verify_token(call.header("authorization"), f"{read(Setting.SUPABASE_URL)}/auth/v1", now)


@dataclass(frozen=True)
class Cron:
    """A schedule, by a bearer secret: in EventBridge's event, or in the header of a POST."""

    prefixes: ClassVar[tuple[str, ...]] = ("cron",)
    cors: ClassVar[bool] = False

    def admit(self, call: HttpCall, now: float) -> Caller | Response:
        """The HTTP trigger."""
        return self.admit_event(call.header("authorization"))

    def admit_event(self, authorization: object) -> Caller:
        """EventBridge's trigger, whose event carries the same secret."""
        verify_bearer(authorization, live(Secret.CRON_SECRET))
        return Caller(kind="cron")


@dataclass(frozen=True)
class Queue:
    """Records of one of our own queues."""

    name: str
    prefixes: ClassVar[tuple[str, ...]] = ("queue",)
    cors: ClassVar[bool] = False


@dataclass(frozen=True)
class Public:
    """Anybody. The reason why is compulsory, and so is a rate (calls a minute from one address)."""

    reason: str
    rate: int
    prefixes: ClassVar[tuple[str, ...]] = ("public",)
    cors: ClassVar[bool] = False
    _limit: LocalRate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.reason.split()) < 3:
            raise ValueError("a public function needs a written reason")
        object.__setattr__(self, "_limit", LocalRate(self.rate, 60))

    def admit(self, call: HttpCall, now: float) -> Caller | Response:
        """Within the rate, everybody."""
        wait = self._limit.wait(call.source_ip, now)
        if wait:
            raise Refused("rate", 429, retry_after=wait)
        return Caller(kind="public")


Kind = Hmac | Jwt | Cron | Queue | Public


def hmac(scheme: str) -> Hmac:
    """A provider's signature over the body."""
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
