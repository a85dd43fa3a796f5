"""Admission in Postgres: the same decisions as the script's, under any race, and nothing a person could abuse."""

import random
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
import redis
from psycopg.types.json import Jsonb

from local import redis_server
from local.postgres import Cluster
from tests.isolation.database import migrated_cluster
from tests.shared.abuse.asking import Budget, Store, Want

NOW = 1_800_000_000_000
SERVER = '{"role": "service_role"}'
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with migrated_cluster() as running:
        yield running


class Books:
    """The database's functions, called as the server or as a person."""

    def __init__(self, cluster: Cluster, claims: str = SERVER) -> None:
        self.connection = psycopg.connect(cluster.dsn(), autocommit=True)
        self.connection.execute("select set_config('request.jwt.claims', %s, false)", [claims])

    def call(self, name: str, **arguments: Any) -> Any:
        named = ", ".join(f"{key} => %({key})s" for key in arguments)
        [answer] = self.connection.execute(f"select public.{name}({named})", arguments).fetchone() or [None]
        return answer

    def admit(self, tenant: str, hold: str, meters: dict[str, list[int]], **scopes: str) -> dict[str, Any]:
        return dict(
            self.call(
                "admit_usage", p_tenant=tenant, p_hold=hold, p_seconds=60, p_provider="model", p_function="queue_reply",
                p_scopes=Jsonb(scopes), p_wants=Jsonb(meters), p_day=LONG_AGO, p_month=LONG_AGO,
            )
        )  # fmt: skip

    def settle(self, tenant: str, hold: str, used: dict[str, int]) -> dict[str, Any]:
        return dict(self.call("settle_usage", p_tenant=tenant, p_hold=hold, p_used=Jsonb(used)))


@pytest.fixture
def books(cluster: Cluster) -> Iterator[Books]:
    found = Books(cluster)
    with found.connection:
        yield found


def business(books: Books, limits: dict[str, int]) -> tuple[str, str]:
    """A tenant with just these limits, and its owner; Postgres counts already."""
    user, tenant = str(uuid.uuid4()), str(uuid.uuid4())
    with books.connection.transaction():
        books.connection.execute("update plans set limits = '{}' where id = 'free'")
        books.connection.execute("insert into auth.users (id, email) values (%s, %s)", [user, f"{user}@example.com"])
        books.connection.execute("insert into tenants (id, name) values (%s, 'x')", [tenant])
        books.connection.execute("insert into members values (%s, %s, 'owner')", [tenant, user])
        books.connection.execute(
            "insert into tenant_budgets (tenant_id, limits, place, epoch, opens_at)"
            " values (%s, %s, 'postgres', 1, now())",
            [tenant, Jsonb(limits)],
        )
    return tenant, user


def contact_of(books: Books, tenant: str) -> str:
    channel, contact = str(uuid.uuid4()), str(uuid.uuid4())
    books.connection.execute(
        "insert into channels (id, tenant_id, kind, external_id) values (%s, %s, 'whatsapp', %s)",
        [channel, tenant, str(random.randrange(10**12))],
    )
    books.connection.execute(
        "insert into contacts (id, tenant_id, channel_id, external_id) values (%s, %s, %s, %s)",
        [contact, tenant, channel, contact],
    )
    return contact


@pytest.mark.parametrize("seed", range(6))
def test_postgres_decides_as_the_script_does(books: Books, tmp_path: Any, seed: int) -> None:
    chance = random.Random(seed)
    limits = {
        "tenant.day.ai_tokens": 3000,
        "tenant.month.ai_tokens": 4000,
        "contact.day.ai_tokens": 900,
        "tenant.now.calls": 4,
    }
    tenant, _ = business(books, limits)
    contacts = [contact_of(books, tenant) for _ in range(3)]
    open_holds: dict[str, tuple[Want, int]] = {}
    with redis_server.running(tmp_path) as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        store = Store(client)
        store.open(NOW)
        for _ in range(60):
            if open_holds and chance.random() < 0.4:
                hold = chance.choice(sorted(open_holds))
                want, granted = open_holds.pop(hold)
                used = granted * chance.choice([0, 50, 100, 130]) // 100
                theirs = books.settle(tenant, hold, {"ai_tokens": used})
                assert [theirs["state"], theirs["overdraft"]] == store.settle(want, [used], NOW)[:2]
                continue
            hold, contact = str(uuid.uuid4()), chance.choice(contacts)
            least = chance.randint(0, 1000)
            meters = (least, least + chance.randint(0, 300))
            # In the order of the limits' names, in which Postgres looks at them.
            budgets = (
                Budget("t", f"u:contact:{contact}:day:ai_tokens", "d", limits["contact.day.ai_tokens"]),
                Budget("t", "u:tenant::day:ai_tokens", "d", limits["tenant.day.ai_tokens"]),
                Budget("t", "u:tenant::month:ai_tokens", "m", limits["tenant.month.ai_tokens"]),
                Budget("t", "u:tenant::now:calls", "n", limits["tenant.now.calls"], meter=2),
            )
            want = Want(hold, NOW, 60, (meters,), budgets=budgets)
            answer, decision = store.admit(want), books.admit(tenant, hold, {"ai_tokens": [*meters]}, contact=contact)
            assert answer[0] == decision["state"], (answer, decision)
            if answer[0] == "admitted":
                assert answer[4] == decision["granted"]["ai_tokens"]
                open_holds[hold] = (want, answer[4])
            else:
                assert answer[1] == decision["reason"]


def test_racers_spend_nothing_over_and_a_hold_is_granted_once(cluster: Cluster, books: Books) -> None:
    tenant, _ = business(books, {"tenant.day.ai_microdollars": 100_000})
    granted: list[int] = []

    def spend(number: int) -> None:
        own = Books(cluster)
        with own.connection:
            chance = random.Random(number)
            for _ in range(20):
                hold = str(uuid.uuid4())
                decision = own.admit(tenant, hold, {"ai_microdollars": [500, chance.randint(500, 9000)]})
                if decision["state"] == "admitted":
                    amount = decision["granted"]["ai_microdollars"]
                    assert (
                        own.admit(tenant, hold, {"ai_microdollars": [500, 9000]})["granted"]["ai_microdollars"]
                        == amount
                    )
                    used = amount * chance.randint(50, 100) // 100
                    assert own.settle(tenant, hold, {"ai_microdollars": used})["state"] == "settled"
                    assert own.settle(tenant, hold, {"ai_microdollars": used})["state"] == "unknown"
                    granted.append(used)

    racers = [threading.Thread(target=spend, args=[number]) for number in range(16)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert 99_000 < sum(granted) <= 100_000
    [sums] = books.connection.execute(
        "select coalesce(sum(ai_microdollars), 0) from usage_ledger where tenant_id = %s", [tenant]
    ).fetchone() or [None]
    assert sums == sum(granted)


def test_who_counts_in_redis_waits_a_minute_and_who_never_counted_does_not(books: Books) -> None:
    tenant, _ = business(books, {})
    books.connection.execute("update tenant_budgets set place = 'redis', epoch = 5 where tenant_id = %s", [tenant])
    first = books.admit(tenant, str(uuid.uuid4()), {"ai_tokens": [1, 1]})
    assert (first["state"], first["reason"]) == ("denied", "rebuilding")
    assert 50_000 < first["retry_ms"] <= 60_000
    books.connection.execute("update tenant_budgets set opens_at = now() where tenant_id = %s", [tenant])
    assert books.admit(tenant, str(uuid.uuid4()), {"ai_tokens": [1, 1]})["epoch"] == 6
    new, _ = business(books, {})
    books.connection.execute("update tenant_budgets set place = 'redis', epoch = 0 where tenant_id = %s", [new])
    assert books.admit(new, str(uuid.uuid4()), {"ai_tokens": [1, 1]})["state"] == "admitted"


def test_one_epoch_for_a_token_and_a_minute_after_a_loss(books: Books) -> None:
    tenant, _ = business(books, {"tenant.day.ai_tokens": 100})
    books.connection.execute("update tenant_budgets set place = 'redis', epoch = 0 where tenant_id = %s", [tenant])

    def open_with(token: str) -> dict[str, Any]:
        moments = dict.fromkeys(("p_day", "p_month", "p_platform_day", "p_platform_month"), LONG_AGO)
        answer = books.call(
            "open_budget", p_tenant=tenant, p_tenant_token=token, p_provider="model", p_provider_token=None, **moments
        )
        return dict(answer["tenant"])

    assert [open_with("a")[name] for name in ("epoch", "opens_in_ms")] == [1, 0]
    assert open_with("a")["epoch"] == 1
    lost = open_with("b")
    assert lost["epoch"] == 2
    assert 50_000 < lost["opens_in_ms"] <= 60_000
    assert lost["counters"] == []
    row = {"hold_id": str(uuid.uuid4()), "provider": "model", "function": "queue_reply", "ai_tokens": 40}
    row |= {"epoch": 1, "seq": 1, "admitted_at": "2026-01-01T00:00:00Z"}
    for new in (1, 0):
        assert books.call("record_usage", p_tenant=tenant, p_rows=Jsonb([row]), p_alerts=Jsonb([])) == new
    books.connection.execute("update tenant_budgets set opens_at = now() where tenant_id = %s", [tenant])
    assert [counter["used"] for counter in open_with("b")["counters"]] == [40]


def test_a_hold_that_nobody_settled_is_charged_in_full(books: Books) -> None:
    tenant, _ = business(books, {})
    kept, over = str(uuid.uuid4()), str(uuid.uuid4())
    for hold in (kept, over):
        assert books.admit(tenant, hold, {"ai_tokens": [7, 7]})["state"] == "admitted"
    books.connection.execute("update usage_holds set expires_at = now() - interval '1 second' where id = %s", [over])
    assert books.call("expire_usage_holds") == 1
    charged = books.connection.execute("select hold_id, ai_tokens from usage_ledger where tenant_id = %s", [tenant])
    assert charged.fetchall() == [(uuid.UUID(over), 7)]


def test_a_person_can_do_no_more_than_the_console(cluster: Cluster, books: Books) -> None:
    tenant, user = business(books, {})
    person = Books(cluster, f'{{"role": "authenticated", "sub": "{user}"}}')

    def admit(tenant: str, amount: int) -> dict[str, Any]:
        wants = Jsonb({"ai_microdollars": [amount, amount]})
        return dict(
            person.call(
                "admit_my_usage", p_tenant=tenant, p_hold=str(uuid.uuid4()), p_provider="model", p_function="ai_chat",
                p_wants=wants, p_day=LONG_AGO, p_month=LONG_AGO,
            )
        )  # fmt: skip

    assert admit(tenant, 10)["state"] == "admitted"
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        admit(tenant, 500_001)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="not found"):
        admit(str(uuid.uuid4()), 10)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="not allowed"):
        person.settle(tenant, str(uuid.uuid4()), {})
    answers = [admit(tenant, 10) for _ in range(25)]
    assert [answer["state"] for answer in answers].count("admitted") == 19
    assert answers[-1]["reason"] == "rate"
    # Charged at once: nobody settles it.
    assert books.connection.execute("select count(*) from usage_holds where tenant_id = %s", [tenant]).fetchone() == (
        0,
    )
    person.connection.close()
