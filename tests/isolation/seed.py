"""Rows for every table, as a superuser writes them: nothing here asks a policy.

Each table gets rows of the victim and of the attacker (tests/isolation/rows.py).
"""

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.isolation.rows import LONG_AGO, NOW, Row, nobodys_rows, rows_of
from tests.isolation.sides import ATTACKER, EMPTY, OUTSIDER, VICTIM, Side


def seed(connection: psycopg.Connection) -> None:
    """People, memberships and rows of all parties. The connection is a superuser's."""
    for side in (VICTIM, ATTACKER, EMPTY):
        seed_people(connection, side)
    connection.execute("insert into auth.users (id, email) values (%s, %s)", [OUTSIDER, "outsider@example.com"])
    connection.execute(
        "delete from public.tenants t using public.members m where m.tenant_id = t.id and m.user_id = %s", [OUTSIDER]
    )
    # They are there from the first migration on; opened, so that no person may open them.
    connection.execute(
        "update public.provider_budgets set epoch = 1, token = 'canary-none token', opens_at = %s", [LONG_AGO]
    )
    for table, row in nobodys_rows():
        insert(connection, table, row)
    for side in (VICTIM, ATTACKER):
        for table, row in rows_of(side):
            insert(connection, table, row)


def seed_people(connection: psycopg.Connection, side: Side) -> None:
    """Accounts and the business of one party, in place of what the trigger on new accounts makes."""
    for user, name in ((side.owner, "owner"), (side.agent, "agent"), (side.guarded, "guarded")):
        connection.execute(
            "insert into auth.users (id, email) values (%s, %s)", [user, f"{name}-{side.letter}@example.com"]
        )
        connection.execute(
            "delete from public.tenants t using public.members m where m.tenant_id = t.id and m.user_id = %s", [user]
        )
    connection.execute(
        "insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at)"
        " values (%s, %s, 'totp', 'verified', now(), now())",
        [side.id(9), side.guarded],
    )
    business = {
        "id": side.tenant,
        "name": side.text("business"),
        "instructions": side.text("instructions"),
        "hand_off_sentence": side.text("sentence"),
        "time_zone": "America/Bogota",
        "assistant_hours": Jsonb([{"day": 1, "from": "09:00", "to": "18:00"}]),
        "away_sentence": side.text("away"),
        "language": "pt",
        "created_at": NOW,
    }
    insert(connection, "tenants", business)
    for user, role in ((side.owner, "owner"), (side.agent, "agent"), (side.guarded, "owner")):
        member = {"tenant_id": side.tenant, "user_id": user, "role": role, "created_at": NOW}
        insert(connection, "members", member)


def insert(connection: psycopg.Connection, table: str, row: Row) -> None:
    """Write one row of schema public."""
    connection.execute(
        sql.SQL("insert into public.{} ({}) values ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(map(sql.Placeholder, row)),
        ),
        row,
    )
