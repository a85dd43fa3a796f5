"""What row level security, intake and knowledge search cost in a database of a realistic size.

    .venv/bin/python bench/bench_database.py [--messages 2000000] [--chunks 100000]

Fills a fresh PostgreSQL of its own (some minutes) and measures three things, beside its bare limit of the same run:

- A member lists the latest 50 conversations of a tenant that has 100,000 messages; beside it the same query without
  row level security. The plan is shown, and how often the policies' functions ran.
- keep_inbox keeps 1,000 new messages of one body, and sees a duplicate body; beside it bare inserts of as many rows.
- search_knowledge finds the 5 nearest of a tenant's passages among 200 tenants'; beside it the exact search, and the
  graph index by itself, with and without an iterative scan.

Medians of several runs; times are of the database, by a local client.
"""

import argparse
import json
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import psycopg  # noqa: E402

from local.migrations import migrate  # noqa: E402
from local.postgres import temporary_cluster  # noqa: E402
from local.supabase import bootstrap  # noqa: E402

TENANTS_WITH_MESSAGES = 20
CONVERSATIONS = 2000
TENANTS_WITH_KNOWLEDGE = 200
LARGE_TENANT_CHUNKS = 20_000
DIMENSIONS = 512
RUNS = 31
BODIES = 7
QUESTIONS = 60
FOUND = 5
WORDS = "¿cuánto cuesta el envío del pasaje 17 y del 4?"

LATEST = """
select v.id, k.name, v.handled_by, v.last_inbound_at, m.body, m.occurred_at
from public.conversations v
join public.contacts k on k.tenant_id = v.tenant_id and k.id = v.contact_id
left join lateral (select l.body, l.occurred_at from public.messages l
  where l.tenant_id = v.tenant_id and l.conversation_id = v.id order by l.occurred_at desc limit 1) m on true
where v.tenant_id = %s order by v.last_inbound_at desc limit 50
"""

FILL_MESSAGES = """
insert into public.tenants (id, name) select id, 'tenant' from bench_tenants;
insert into auth.users (id, email) select owner, owner || '@example.com' from bench_tenants;
insert into public.members (tenant_id, user_id, role) select id, owner, 'owner' from bench_tenants;
insert into public.channels (id, tenant_id, kind, external_id)
  select channel, id, 'whatsapp', number::text from bench_tenants;
insert into public.contacts (id, tenant_id, channel_id, external_id, phone, name)
  select md5(t.number || ' contact ' || n)::uuid, t.id, t.channel, t.number || '-' || n, null, 'Ana'
  from bench_tenants t, generate_series(1, %(conversations)s) n;
insert into public.conversations (id, tenant_id, channel_id, contact_id, last_inbound_at)
  select md5(t.number || ' conversation ' || n)::uuid, t.id, t.channel, md5(t.number || ' contact ' || n)::uuid,
    now() - n * interval '1 minute'
  from bench_tenants t, generate_series(1, %(conversations)s) n;
"""
FILL_TENANT_MESSAGES = """
insert into public.messages (tenant_id, conversation_id, author, kind, body, status, occurred_at)
  select t.id, md5(t.number || ' conversation ' || (n %% %(conversations)s + 1))::uuid, 'contact', 'text',
    'hola, ¿a qué hora abren? ' || n, 'received', now() - n * interval '1 second'
  from bench_tenants t, generate_series(1, %(messages)s) n where t.number = %(number)s
"""

# Passages lie around topics, as texts do: a topic's centre and two of many small offsets.
FILL_KNOWLEDGE = """
create function pg_temp.noise(p_scale double precision, p_seed double precision) returns extensions.vector
  language sql volatile as $$
    select array_agg((random() - 0.5) * p_scale + 0 * p_seed)::extensions.vector from generate_series(1, 512) $$;
create temp table topics as select n, pg_temp.noise(1, n) as v from generate_series(0, 999) n;
create temp table offsets as select n, pg_temp.noise(0.8, n) as v from generate_series(0, 4999) n;
create index on topics (n); create index on offsets (n); analyze topics; analyze offsets;
insert into public.tenants (id, name) select id, 'tenant' from bench_shops;
insert into auth.users (id, email) select owner, owner || '@example.org' from bench_shops;
insert into public.members (tenant_id, user_id, role) select id, owner, 'owner' from bench_shops;
insert into public.knowledge_files (id, tenant_id, name, media_type, bytes, sha256, object_key)
  select file, id, 'menu.md', 'text/markdown', 10, repeat('0', 64), id || '/x' from bench_shops;
insert into public.knowledge_chunks (tenant_id, file_id, position, body, embedding)
  select s.id, s.file, c.n, 'passage ' || c.n,
    t.v operator(extensions.+) o.v operator(extensions.+) p.v
  from bench_shops s, generate_series(1, s.chunks) c (n), topics t, offsets o, offsets p
  where t.n = (s.number * 7 + c.n * 13) %% 997 and o.n = (c.n * 31 + s.number) %% 4999
    and p.n = (c.n * 17 + s.number * 101) %% 4993;
"""

GRAPH = "set local enable_sort = off; set local enable_bitmapscan = off; set local enable_seqscan = off;"
NEAREST = """
select body from public.knowledge_chunks where tenant_id = %s
order by embedding operator(extensions.<=>) %s::extensions.vector limit 5
"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=2_000_000)
    parser.add_argument("--chunks", type=int, default=100_000)
    arguments = parser.parse_args()
    with temporary_cluster(on_disk=True) as cluster:
        with psycopg.connect(cluster.dsn()) as connection:
            bootstrap(connection)
        with psycopg.connect(cluster.dsn("postgres")) as connection:
            migrate(connection, PROJECT / "supabase" / "migrations")
        with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
            # A hosted project's server has more than the 32 MB that a laptop's world is given.
            connection.execute("set track_functions = 'all'; set maintenance_work_mem = '1GB'")
            bench_list(connection, arguments.messages // TENANTS_WITH_MESSAGES)
            bench_intake(connection)
            bench_knowledge(connection, arguments.chunks // TENANTS_WITH_KNOWLEDGE)
    return 0


def bench_list(connection: psycopg.Connection, messages: int) -> None:
    """The latest conversations, with and without row level security."""
    say(f"filling {TENANTS_WITH_MESSAGES} tenants with {messages:,} messages each")
    connection.execute(
        "create table bench_tenants as"
        " select n as number, md5('tenant ' || n)::uuid as id, md5('owner ' || n)::uuid as owner,"
        f" md5('channel ' || n)::uuid as channel from generate_series(1, {TENANTS_WITH_MESSAGES}) n"
    )
    with without_triggers(connection):
        for statement in FILL_MESSAGES.split(";\n")[:-1]:
            connection.execute(statement.replace("%(conversations)s", str(CONVERSATIONS)))  # type: ignore[arg-type]
        for number in range(1, TENANTS_WITH_MESSAGES + 1):
            connection.execute(
                FILL_TENANT_MESSAGES, {"conversations": CONVERSATIONS, "messages": messages, "number": number}
            )
            say(f"  {number} of {TENANTS_WITH_MESSAGES}")
    connection.execute("vacuum analyze")
    tenant, owner = one(connection, "select id, owner from bench_tenants where number = 7")
    with acting(connection, "authenticated", {"sub": str(owner), "role": "authenticated", "aal": "aal1"}):
        guarded = timed(RUNS, lambda: connection.execute(LATEST, [tenant]).fetchall())
        before = function_calls(connection)
        assert len(connection.execute(LATEST, [tenant]).fetchall()) == 50
        ran = {name: count - before.get(name, 0) for name, count in function_calls(connection).items()}
        plan = connection.execute(
            "explain (analyze, costs off, timing off, summary off) " + LATEST, [tenant]
        ).fetchall()
    bare = timed(RUNS, lambda: connection.execute(LATEST, [tenant]).fetchall())
    print(f"Latest 50 conversations of a tenant with {messages:,} of {messages * TENANTS_WITH_MESSAGES:,} messages")
    print(f"  as a member, under row level security   {guarded:7.2f} ms   asked: 5 ms")
    print(f"  without row level security              {bare:7.2f} ms   {guarded / bare:.1f}x")
    print("  the policies' functions ran, in one statement over three tables:")
    for name in ("my_tenants", "second_factor"):
        print(f"    {name:<20} {ran.get(name, 0)} times (once a table)")
    print("  plan:")
    for (line,) in plan:
        print(f"    {line}")
    print()


def bench_intake(connection: psycopg.Connection) -> None:
    """One body of 1,000 messages, new and again, of many senders and of one."""
    say("intake")
    (number,) = one(connection, "select external_id from public.channels order by external_id limit 1")
    print("keep_inbox, 1,000 messages in one body (the database has the messages above)")
    for senders in (1000, 1):
        new, again = [], []
        for body in range(BODIES):
            items = json.dumps([item(str(number), senders, body, place) for place in range(1000)])
            new.append(timed(1, lambda items=items: keep(connection, items, 1000)))
            again.append(timed(1, lambda items=items: keep(connection, items, 0)))
        print(f"  of {senders:>4} senders: new     {statistics.median(new):7.1f} ms   asked: 150 ms")
        print(f"                   again   {statistics.median(again):7.1f} ms   asked: 30 ms")
    rows = [[str(uuid.uuid4()), "hola " * 20] for _ in range(1000)]
    connection.execute("create temp table bare (id uuid primary key, body text)")

    def insert() -> None:
        with connection.transaction(force_rollback=True):
            connection.execute(
                "insert into bare select (r ->> 0)::uuid, r ->> 1 from jsonb_array_elements(%s) r", [json.dumps(rows)]
            )

    print(f"  1,000 rows into a table without a foreign key   {timed(BODIES, insert):7.1f} ms, the bare limit")
    print()


def bench_knowledge(connection: psycopg.Connection, chunks: int) -> None:
    """The nearest passages of small tenants and of a large one."""
    say(f"filling {TENANTS_WITH_KNOWLEDGE} tenants with {chunks} passages each, and one with {LARGE_TENANT_CHUNKS:,}")
    connection.execute(
        "create table bench_shops as"
        " select n as number, md5('shop ' || n)::uuid as id, md5('shop owner ' || n)::uuid as owner,"
        f" md5('file ' || n)::uuid as file, case n when 0 then {LARGE_TENANT_CHUNKS} else {chunks} end as chunks"
        f" from generate_series(0, {TENANTS_WITH_KNOWLEDGE}) n"
    )
    connection.execute("drop index public.knowledge_chunks_embedding")
    with without_triggers(connection):
        for statement in FILL_KNOWLEDGE.replace("%%", "%").split(";\n")[:-1]:
            connection.execute(statement)  # type: ignore[arg-type]
    say("building the graph index")
    began = time.perf_counter()
    connection.execute(
        "create index knowledge_chunks_embedding on public.knowledge_chunks"
        " using hnsw (embedding extensions.vector_cosine_ops)"
    )
    built = time.perf_counter() - began
    connection.execute("vacuum analyze public.knowledge_chunks")
    (size,) = one(connection, "select pg_size_pretty(pg_relation_size('public.knowledge_chunks_embedding'))")
    total = chunks * TENANTS_WITH_KNOWLEDGE + LARGE_TENANT_CHUNKS
    tenants = TENANTS_WITH_KNOWLEDGE + 1
    print(f"5 nearest passages among {total:,} of {tenants} tenants (graph index: {built:.0f} s, {size})")
    print(f"  {'':<46} {'recall':>7} {'ms p50':>8} {'ms p95':>8}")
    for name, numbers in (
        (f"a tenant with {chunks}", range(1, QUESTIONS + 1)),
        (f"a tenant with {LARGE_TENANT_CHUNKS:,}", [0] * QUESTIONS),
    ):
        measure_search(connection, name, list(numbers))


def measure_search(connection: psycopg.Connection, name: str, numbers: list[int]) -> None:
    """One block of the table: the function as a member and as the server calls it, and each way by itself."""
    questions: list[tuple[Any, Any, str]] = []
    for place, number in enumerate(numbers):
        tenant, owner = one(connection, "select id, owner from bench_shops where number = %s", number)
        (near,) = one(
            connection,
            "select (c.embedding operator(extensions.+) o.v)::text from public.knowledge_chunks c, offsets o"
            " where c.tenant_id = %s and c.position = %s and o.n = %s",
            tenant,
            1 + place * 7 % 50,
            place * 11,
        )
        questions.append((tenant, owner, near))
    exact = []

    def ask_exactly(tenant: Any, _: Any, near: str) -> list[Any]:
        connection.execute("set local enable_indexscan = off")
        return connection.execute(NEAREST, [tenant, near]).fetchall()

    def ask_graph(iterative: str) -> Callable[[Any, Any, str], list[Any]]:
        def ask(tenant: Any, _: Any, near: str) -> list[Any]:
            connection.execute(GRAPH + f"set local hnsw.iterative_scan = {iterative}; set local hnsw.ef_search = 200")  # type: ignore[arg-type]
            return connection.execute(NEAREST, [tenant, near]).fetchall()

        return ask

    def ask_as_member(tenant: Any, owner: Any, near: str) -> list[Any]:
        become(connection, "authenticated", {"sub": str(owner), "role": "authenticated", "aal": "aal1"})
        return connection.execute("select body from public.search_knowledge(%s, %s, '', 5)", [tenant, near]).fetchall()

    def ask_as_server(words: str) -> Callable[[Any, Any, str], list[Any]]:
        def ask(tenant: Any, _: Any, near: str) -> list[Any]:
            become(connection, "service_role", {"role": "service_role"})
            return connection.execute(
                "select body from public.search_knowledge_for_turn(%s, %s, %s, 5)", [tenant, near, words]
            ).fetchall()

        return ask

    ways = {
        "exact, the bare limit": ask_exactly,
        "search_knowledge, a member": ask_as_member,
        "search_knowledge_for_turn, the server": ask_as_server(""),
        "the same, by words too (another ranking)": ask_as_server(WORDS),
        "the graph, filtered after": ask_graph("off"),
        "the graph, iterative scan": ask_graph("strict_order"),
    }
    print(f"  {name}")
    for way, ask in ways.items():
        times, answers = [], []
        for warm in (True, False):
            for question in questions:
                with connection.transaction(force_rollback=True):
                    began = time.perf_counter()
                    found = ask(*question)
                    if not warm:
                        times.append((time.perf_counter() - began) * 1000)
                        answers.append({row[0] for row in found})
        exact = exact or answers
        recall = sum(len(mine & best) for mine, best in zip(answers, exact, strict=True)) / (FOUND * len(exact))
        times.sort()
        print(f"    {way:<44} {recall:7.3f} {statistics.median(times):8.2f} {times[int(len(times) * 0.95)]:8.2f}")


def item(number: str, senders: int, body: int, place: int) -> dict[str, Any]:
    """One message as a webhook hands it to keep_inbox."""
    sender, key = f"54911{place % senders:08d}", f"wamid.{senders}.{body}.{place}"
    return {
        "channel": "whatsapp",
        "channel_id": number,
        "kind": "message",
        "key": key,
        "occurred_at": "2026-11-25T10:00:00+00:00",
        "item": {"id": key, "from": sender, "type": "text", "text": {"body": "hola " * 20}},
        "contact": {"id": sender, "phone": sender, "name": "Ana"},
        "type": "text",
        "text": "hola " * 20,
        "provider_id": key,
    }


def keep(connection: psycopg.Connection, items: str, new: int) -> None:
    with acting(connection, "service_role", {"role": "service_role"}, commit=True):
        (kept,) = one(connection, "select public.keep_inbox(%s)", items)
    assert kept["kept"] == new, kept


def timed(runs: int, work: Callable[[], object]) -> float:
    """The median of `runs` in milliseconds."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


@contextmanager
def acting(
    connection: psycopg.Connection, role: str, claims: dict[str, str], *, commit: bool = False
) -> Iterator[None]:
    """A transaction as the Data API makes it."""
    with connection.transaction(force_rollback=not commit):
        become(connection, role, claims)
        yield


def become(connection: psycopg.Connection, role: str, claims: dict[str, str]) -> None:
    connection.execute(
        "select set_config('request.jwt.claims', %s, true), set_config('role', %s, true)", [json.dumps(claims), role]
    )


@contextmanager
def without_triggers(connection: psycopg.Connection) -> Iterator[None]:
    """Filling checks no foreign key: the rows are right by construction."""
    connection.execute("set session_replication_role = replica")
    yield
    connection.execute("set session_replication_role = origin")


def function_calls(connection: psycopg.Connection) -> dict[str, int]:
    """How often each function ran in this transaction."""
    rows = connection.execute("select funcname, calls from pg_stat_xact_user_functions where schemaname = 'private'")
    return dict(rows.fetchall())


def one(connection: psycopg.Connection, query: str, *values: Any) -> tuple[Any, ...]:
    row = connection.execute(query, values).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row


def say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
