"""The guard kinds: who may call, as data, and how a call shows it. One class a kind; a file's prefix fixes which.

A kind answers an early question of a scheme itself (Meta's handshake) and otherwise names the caller or raises
Refused. Plain classes: the standard library's data classes would cost a webhook's cold start more than its work.
"""

from typing import ClassVar

from shared.abuse.local_rate import LocalRate, source_key
from shared.cloud.parameters import live
from shared.errors import RateExceeded, Refused
from shared.guard.request import Caller, HttpCall
from shared.guard.response import Response
from shared.guard.rotation import count_old
from shared.guard.schemes import SCHEMES
from shared.guard.verify.cron import verify_bearer
from shared.settings import Secret


class Kind:
    """What the guard asks of every kind; `prefixes` are those of the files that may declare it."""

    prefixes: ClassVar[tuple[str, ...]]
    cors: ClassVar[bool] = False
    # Whether a function of this kind may read the body: it may not where a signature leaves the body out.
    signs_body: bool = True

    def admit(self, call: HttpCall, now: float) -> Caller | Response:
        """The caller, or the answer that the scheme itself gives. `now`: arrival, seconds since the epoch.

        Raises Refused or Unavailable.
        """
        raise Refused("not_over_http", 403)


class Hmac(Kind):
    """A provider signs. `scheme` is a name of SCHEMES."""

    prefixes = ("webhook",)

    def __init__(self, scheme: str) -> None:
        self._admit, self.signs_body = SCHEMES[scheme]

    def admit(self, call: HttpCall, now: float) -> Caller | Response:
        """By the rules of the scheme."""
        return self._admit(call, now)


class Jwt(Kind):
    """A signed-in person, by an access token of Supabase Auth; the options are those of `jwt()`."""

    prefixes = ("ai", "app")
    cors = True

    def __init__(self, *, aal2: bool, fresh_totp: int, live_session: bool, legacy: bool) -> None:
        if fresh_totp and not aal2:
            raise ValueError("a fresh one-time code is a second factor: say aal2=True too")
        self.aal2 = aal2
        self.fresh_totp = fresh_totp
        self.live_session = live_session
        self.legacy = legacy

    def admit(self, call: HttpCall, now: float) -> Caller | Response:
        """The user of the bearer token."""
        # Imported here: the signature library costs more than a webhook's whole cold start.
        from shared.guard.people import admit_person

        return admit_person(
            call.header("authorization"),
            now,
            aal2=self.aal2,
            fresh_totp=self.fresh_totp,
            live_session=self.live_session,
            legacy=self.legacy,
        )


class Cron(Kind):
    """A schedule of EventBridge, by the bearer secret in its event. There is no other way to call."""

    prefixes = ("cron",)

    def admit_event(self, event: object, function: str) -> Caller:
        """Authenticate the event of a schedule: {"schedule": <function>, "authorization": "Bearer <secret>"}.

        Raises Refused: `schedule_malformed`, `schedule_foreign` (of another function), and those of the secret.
        """
        if not isinstance(event, dict) or event.keys() != {"schedule", "authorization"}:
            raise Refused("schedule_malformed", 400)
        if event["schedule"] != function:
            raise Refused("schedule_foreign", 403)
        authorization = event["authorization"]
        count_old(verify_bearer(authorization, live(Secret.CRON_SECRET)), Secret.CRON_SECRET)
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
        wait = self._limit.wait(source_key(call.source_ip), now)
        if wait:
            raise RateExceeded(wait)
        return Caller(kind="public")


def hmac(scheme: str) -> Hmac:
    """A provider's signature. Raises KeyError for a scheme that is not in SCHEMES."""
    return Hmac(scheme)


def jwt(*, aal2: bool = False, fresh_totp: int = 0, live_session: bool = False, legacy: bool = False) -> Jwt:
    """A signed-in person.

    `aal2`: who has passed a second factor in this session; `fresh_totp`: and gave a one-time code at most so many
    seconds ago; `live_session`: and has not signed out since (one call of Supabase Auth); `legacy`: tokens that the
    project's shared secret signs (HS256) are admitted too, and the guard lists SUPABASE_JWT_SECRET.
    """
    return Jwt(aal2=aal2, fresh_totp=fresh_totp, live_session=live_session, legacy=legacy)


def cron() -> Cron:
    """A schedule with a secret."""
    return Cron()


def queue(name: str) -> Queue:
    """Records of the queue of this name."""
    return Queue(name)


def public(*, reason: str, rate: int) -> Public:
    """Anybody, `rate` times a minute from one address."""
    return Public(reason, rate)
