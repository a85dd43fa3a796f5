"""Migrations: once, in order, all or nothing, and with the words of the database when one fails."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from local.migrations import MigrationError, list_migrations, migrate, split_statements
from local.postgres import Cluster, temporary_cluster
from local.supabase import bootstrap


@pytest.fixture(scope="module", params=["16", "18"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Production runs 17, so both neighbours count. The database `empty` is bootstrapped."""
    with temporary_cluster(request.param) as made:
        made.create_database("empty")
        with psycopg.connect(made.dsn(database="empty")) as connection:
            bootstrap(connection)
        yield made


@pytest.fixture
def connection(cluster: Cluster) -> Iterator[psycopg.Connection]:
    """The role postgres on a fresh database."""
    cluster.create_database("fresh", template="empty")
    with psycopg.connect(cluster.dsn("postgres", "fresh")) as made:
        yield made
    cluster.drop_database("fresh")


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name.removeprefix('v')}.sql").write_text(text)


def history(connection: psycopg.Connection) -> list[tuple[str, str, list[str]]]:
    return connection.execute(
        "select version, name, statements from supabase_migrations.schema_migrations order by version"
    ).fetchall()


def test_applied_once_in_order(connection: psycopg.Connection, tmp_path: Path) -> None:
    write(
        tmp_path,
        v20260102000000_second="insert into public.note (body) values ('a;b');\n-- done\n",
        v20260101000000_first="create table public.note (body text);\nset search_path = '';",
    )
    assert migrate(connection, tmp_path) == ["20260101000000_first.sql", "20260102000000_second.sql"]
    assert migrate(connection, tmp_path) == []
    assert connection.execute("select body from public.note").fetchall() == [("a;b",)]
    assert history(connection) == [
        ("20260101000000", "first", ["create table public.note (body text)", "set search_path = ''"]),
        ("20260102000000", "second", ["insert into public.note (body) values ('a;b')"]),
    ]
    write(tmp_path, v20260103000000_third="create table unqualified (id integer)")
    assert migrate(connection, tmp_path) == ["20260103000000_third.sql"], "settings do not leak between files"


def test_a_failing_file_leaves_nothing(connection: psycopg.Connection, tmp_path: Path) -> None:
    write(
        tmp_path,
        v1_good="create table public.good (id integer)",
        v2_bad="create table public.bad (id integer);\n\nselect 1;\nselect nope from public.good;",
    )
    with pytest.raises(MigrationError, match=r'^2_bad\.sql:4: 42703: column "nope" does not exist'):
        migrate(connection, tmp_path)
    assert [row[0] for row in history(connection)] == ["1"]
    assert connection.execute("select to_regclass('public.bad')").fetchone() == (None,)


def test_a_failure_at_the_end_of_the_transaction(connection: psycopg.Connection, tmp_path: Path) -> None:
    write(
        tmp_path,
        v1_late="create table public.p (id int primary key, of int references public.p deferrable initially deferred);"
        "insert into public.p values (1, 2);",
    )
    with pytest.raises(MigrationError, match=r"^1_late\.sql: .*foreign key"):
        migrate(connection, tmp_path)
    assert history(connection) == []


def test_it_runs_without_the_power_of_a_superuser(
    connection: psycopg.Connection, cluster: Cluster, tmp_path: Path
) -> None:
    write(tmp_path, v1_ours="alter table auth.users add column mine text")
    with pytest.raises(MigrationError, match="must be owner of table users"):
        migrate(connection, tmp_path)
    with (
        psycopg.connect(cluster.dsn(database="fresh")) as powerful,
        pytest.raises(MigrationError, match="no superuser"),
    ):
        migrate(powerful, tmp_path)


def test_what_a_hosted_migration_may_do(connection: psycopg.Connection, cluster: Cluster, tmp_path: Path) -> None:
    write(
        tmp_path,
        v1_usual="""
        create extension if not exists vector with schema extensions;
        create role contract_owner nologin nobypassrls;
        create schema private;
        create table public.profile (id uuid primary key references auth.users, v extensions.vector(3));
        alter table public.profile enable row level security;
        create policy own on public.profile to authenticated using (id = (select auth.uid()));
        grant select on public.profile to authenticated;
        create function private.new_user() returns trigger language plpgsql security definer set search_path = '' as $$
        begin
            insert into public.profile (id) values (new.id);
            return new;
        end
        $$;
        create trigger new_user after insert on auth.users for each row execute function private.new_user();
        create function private.mfa() returns bigint language sql stable security definer set search_path = ''
            begin atomic; select count(*) from auth.mfa_factors; end;
        drop role contract_owner;
        """,
    )
    assert migrate(connection, tmp_path) == ["1_usual.sql"]
    with psycopg.connect(cluster.dsn("supabase_auth_admin", "fresh")) as auth:
        auth.execute("insert into auth.users (id, email) values (gen_random_uuid(), 'a@b.c')")
    assert connection.execute("select count(*), private.mfa() from public.profile").fetchone() == (1, 0)
    with psycopg.connect(cluster.dsn("authenticator", "fresh")) as api:
        api.execute("set local role service_role")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            api.execute("select * from public.profile")
    with psycopg.connect(cluster.dsn("authenticator", "fresh")) as api, pytest.raises(psycopg.Error):
        api.execute("set role postgres")


def test_history_that_does_not_fit(connection: psycopg.Connection, tmp_path: Path) -> None:
    write(tmp_path, v2_second="select 1")
    migrate(connection, tmp_path)
    write(tmp_path, v1_first="select 1")
    with pytest.raises(MigrationError, match=r"Older than the newest applied migration: 1_first\.sql"):
        migrate(connection, tmp_path)
    (tmp_path / "1_first.sql").unlink()
    (tmp_path / "2_second.sql").rename(tmp_path / "3_third.sql")
    with pytest.raises(MigrationError, match="the folder does not: 2"):
        migrate(connection, tmp_path)


def test_file_names(tmp_path: Path) -> None:
    write(tmp_path, v1_a="", v1_b="")
    with pytest.raises(MigrationError, match="version 1"):
        list_migrations(tmp_path)
    write(tmp_path, vnotes="")
    with pytest.raises(MigrationError, match=r"notes\.sql"):
        list_migrations(tmp_path)
    with pytest.raises(MigrationError, match="no folder"):
        list_migrations(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 1; select 2", ["select 1", "select 2"]),
        (" ;; -- only a remark\n; /* a /* nested */ remark; */", []),
        ("select ';', E'\\';', \"a;b\"; x", ["select ';', E'\\';', \"a;b\"", "x"]),
        ("select 'it''s;'; y", ["select 'it''s;'", "y"]),
        ("-- it's; a remark\nselect 1; y", ["-- it's; a remark\nselect 1", "y"]),
        ("do $$ begin; end $$; y", ["do $$ begin; end $$", "y"]),
        ("do $a$ $$;$$ ; $b$ $a$; y", ["do $a$ $$;$$ ; $b$ $a$", "y"]),
        ("select $1; y", ["select $1", "y"]),
        ("select a$b$c; select d$b$e", ["select a$b$c", "select d$b$e"]),
        (
            "create function f() returns int begin atomic; select case when true then 1 end; end; y",
            ["create function f() returns int begin atomic; select case when true then 1 end; end", "y"],
        ),
        ("begin; select 1; end; y", ["begin", "select 1", "end", "y"]),
    ],
)
def test_split_statements(text: str, expected: list[str]) -> None:
    assert split_statements(text) == expected
