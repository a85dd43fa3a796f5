"""Our migrations on the versions around the hosted one, as the role that hosted migrations run as."""

import psycopg
import pytest

from local.migrations import migrate
from local.plan import PROJECT
from local.postgres import temporary_cluster
from local.supabase import bootstrap

MIGRATIONS = PROJECT / "supabase" / "migrations"
# Privileged functions that a signed-in person may call: each opens with private.require_member(p_tenant).
MEMBERS_MAY_CALL = [
    *(
        "admit_my_usage",
        "finish_media",
        "finish_upload",
        "hand_over",
        "lift_strikes",
        "my_budget_facts",
        "name_template",
        "offer_file",
        "offer_media",
        "open_my_budget",
        "remove_file",
        "replay_mine",
        "write_as_person",
    ),
]


@pytest.mark.parametrize("version", ["16", "18"])
def test_they_apply_once_and_every_table_is_closed(version):
    with temporary_cluster(version) as cluster:
        with psycopg.connect(cluster.dsn(), autocommit=True) as admin:
            bootstrap(admin)
        with psycopg.connect(cluster.dsn("postgres"), autocommit=True) as owner:
            assert migrate(owner, MIGRATIONS) == sorted(path.name for path in MIGRATIONS.glob("*.sql"))
            assert migrate(owner, MIGRATIONS) == []
            tables = owner.execute(
                "select relname, relrowsecurity and relforcerowsecurity, obj_description(oid, 'pg_class')"
                " from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
            ).fetchall()
            assert len(tables) >= 10
            assert [name for name, closed, _ in tables if not closed] == []
            stories = {name: story or "" for name, _, story in tables}
            for part in ("tenant=", "personal=", "export=", "erase=", "keep="):
                assert [name for name, story in stories.items() if part not in story] == []
            granted = owner.execute(
                "select table_name, grantee from information_schema.role_table_grants"
                " where table_schema = 'public' and grantee in ('anon', 'PUBLIC', 'service_role')"
            ).fetchall()
            assert granted == []
            callable_by_strangers = owner.execute(
                "select proname from pg_proc where pronamespace = 'public'::regnamespace and prosecdef"
                " and (has_function_privilege('anon', oid, 'execute') or has_function_privilege('authenticated', oid,"
                " 'execute') or pg_get_userbyid(proowner) not like 'portero_%')"
            ).fetchall()
            assert sorted(name for (name,) in callable_by_strangers) == MEMBERS_MAY_CALL
