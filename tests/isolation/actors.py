"""Who knocks: a database role, the claims of a token, and the tenant that a privileged function has entered."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from tests.isolation.sides import ABSENT, ATTACKER, EMPTY, OUTSIDER, VICTIM, Side

SERVICE, SWEEP, INTAKE, RETENTION = "portero_service", "portero_sweep", "portero_intake", "portero_retention"
INTERNAL = (SERVICE, SWEEP, INTAKE, RETENTION)
API = ("anon", "authenticated", "service_role")

SERVER = {"role": "service_role"}


@dataclass(frozen=True)
class Actor:
    """`tenant` is what private.enter_tenant() has set; None leaves it unset. `own` is the party it belongs to."""

    name: str
    role: str
    claims: dict[str, Any] = field(default_factory=dict)
    own: Side | None = None
    tenant: UUID | None = None

    @property
    def foreign(self) -> tuple[Side, ...]:
        """The parties whose data is none of its business."""
        return tuple(side for side in (VICTIM, ATTACKER, EMPTY) if side is not self.own)

    @contextmanager
    def acting(self, connection: psycopg.Connection) -> Iterator[None]:
        """Within the block statements run as this actor; at its end everything is undone."""
        connection.execute("savepoint acting")
        try:
            self.become(connection)
            yield
        finally:
            connection.execute("rollback to savepoint acting")
            connection.execute("release savepoint acting")

    def become(self, connection: psycopg.Connection) -> None:
        """Take the role, the claims and the tenant until the transaction or savepoint ends."""
        connection.execute(
            "select set_config('request.jwt.claims', %s, true), set_config('portero.tenant', %s, true),"
            " set_config('role', %s, true)",
            [json.dumps(self.claims), str(self.tenant or ""), self.role],
        )


def person(user: UUID, **claims: Any) -> dict[str, Any]:
    """The claims of a signed-in person's token."""
    return {"sub": str(user), "role": "authenticated", "aal": "aal1", "session_id": str(ABSENT.id(77))} | claims


OWNER = Actor("the owner", "authenticated", person(VICTIM.owner), VICTIM)
AGENT = Actor("an agent of the business", "authenticated", person(VICTIM.agent), VICTIM)
GUARDED = Actor("an owner with both factors", "authenticated", person(VICTIM.guarded, aal="aal2"), VICTIM)
SERVICE_OF_VICTIM = Actor("the service in its tenant", SERVICE, SERVER, VICTIM, VICTIM.tenant)

FORGED = {"tenant_id": str(VICTIM.tenant), "role": "owner", "business": "x"}

# None of these may see or change anything that is foreign to it.
ATTACKERS = (
    Actor("another owner", "authenticated", person(ATTACKER.owner), ATTACKER),
    Actor("another agent", "authenticated", person(ATTACKER.agent), ATTACKER),
    Actor("an owner without rows", "authenticated", person(EMPTY.owner), EMPTY),
    Actor("a person without a business", "authenticated", person(OUTSIDER)),
    Actor("forged user_metadata", "authenticated", person(ATTACKER.owner, user_metadata=FORGED), ATTACKER),
    Actor("an anonymous user", "authenticated", person(ABSENT.owner, is_anonymous=True)),
    Actor("one factor where two are set up", "authenticated", person(VICTIM.guarded)),
    Actor("no level of assurance", "authenticated", person(VICTIM.guarded, aal=None)),
    Actor("a token without a subject", "authenticated", {"role": "authenticated"}),
    Actor("nobody", "anon", {"role": "anon"}),
    Actor("the secret key, past the functions", "service_role", SERVER),
    Actor("the service in another tenant", SERVICE, SERVER, ATTACKER, ATTACKER.tenant),
    Actor("the service in no tenant", SERVICE, SERVER),
)
