"""One tenant cannot reach another; and the prober that says so sees every wall that is weaker."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator

import psycopg
import pytest

from tests.isolation.actors import ATTACKERS
from tests.isolation.database import ISOLATION, MUTANTS, PRIVILEGES, seeded_cluster
from tests.isolation.functions import probe_functions
from tests.isolation.ground import Ground
from tests.isolation.inventory import take_inventory
from tests.isolation.mutants import Mutant, make_mutants
from tests.isolation.planted import PLANTED, SOUND_RIGHTS
from tests.isolation.prober import probe
from tests.isolation.prove import find_planted, kill

SEED = 4
SAMPLE = 2


@pytest.fixture(scope="module")
def connection() -> Iterator[psycopg.Connection]:
    with seeded_cluster() as cluster, psycopg.connect(cluster.dsn()) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _undone(connection: psycopg.Connection) -> Iterator[None]:
    yield
    connection.rollback()


def test_one_tenant_cannot_reach_another(connection, tmp_path):
    report = probe(connection, PRIVILEGES.read_text())
    actual = tmp_path / "privileges.txt"
    actual.write_text(report.privileges)
    assert report.complete
    assert [str(finding) for finding in report.findings] == [], (
        "You are here because somebody reaches what belongs to others, or a privilege is not in the committed table. "
        f"If a privilege is what you meant, edit {PRIVILEGES.name} by hand after {actual}."
    )
    assert report.text() == ISOLATION.read_text(), (
        f"You are here because {ISOLATION.name} counts other probes than were made: read it, then run `make isolation`."
    )


def test_a_run_that_is_cut_short_says_so(connection):
    connection.execute("grant delete on public.tenants to anon")
    cut_short = probe(connection, PRIVILEGES.read_text(), first=True)
    assert (cut_short.complete, len(cut_short.findings)) == (False, 1)


@pytest.mark.parametrize(
    "statement",
    [
        "delete from public.strikes",
        "update public.channels set account_id = null",
        "alter table public.tenants add x text",
    ],
)
def test_an_unseeded_table_or_column_fails_the_run(connection, statement):
    connection.execute(statement)
    report = probe(connection, first=True)
    assert ([finding.probe for finding in report.findings], report.complete) == (["seeded"], False)


def test_a_function_without_a_row_fails_the_run(connection):
    connection.execute(
        "create function public.newcomer() returns integer language sql"
        " set search_path = pg_catalog, pg_temp as 'select 1'"
    )
    assert "has no row" in str(probe(connection, first=True, focus="newcomer").findings)


def test_a_sample_of_each_kind_of_mutant_is_killed(connection):
    by_kind: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in make_mutants(connection):
        by_kind[mutant.kind].append(mutant)
    chosen = random.Random(SEED)
    sample = [mutant for kind in by_kind.values() for mutant in chosen.sample(kind, min(SAMPLE, len(kind)))]
    connection.rollback()
    assert [(mutant.kind, mutant.name) for mutant in sample if kill(connection, mutant) is None] == []


def test_a_function_without_its_guard_is_seen_by_calling_it(connection):
    row = connection.execute("select pg_get_functiondef('public.claim_turn'::regproc)").fetchone()
    connection.execute(row[0].replace("perform private.require_server();", ""))
    ground = Ground(connection, take_inventory(connection))
    probe_functions(ground)
    assert ("guard", "claim_turn") in {(finding.probe, finding.place) for finding in ground.findings}


def test_a_type_of_the_session_does_not_run_with_the_rights_of_a_privileged_function(connection):
    actor = ATTACKERS[0]
    connection.execute(
        "create function public.note_who() returns boolean language plpgsql as"
        " $$ begin raise exception 'ran as %', current_user; end $$"
    )
    connection.execute("grant execute on function public.note_who() to public")
    actor.become(connection)
    connection.execute("create domain pg_temp.jsonb as pg_catalog.jsonb check (public.note_who())")
    assert connection.execute("select private.second_factor()").fetchone() == ("none",)
    connection.execute("select set_config('role', 'none', true)")
    # With the empty path that seems safest, it runs.
    connection.execute("alter function private.second_factor() set search_path = ''")
    actor.become(connection)
    with pytest.raises(psycopg.errors.RaiseException, match="ran as postgres"):
        connection.execute("select private.second_factor()")


def test_the_committed_score_is_of_the_mutants_that_there_are(connection):
    made = Counter(mutant.kind for mutant in make_mutants(connection))
    committed = {line[:34].strip(): int(line[34:41]) for line in MUTANTS.read_text().split("\n\n")[1].splitlines()[1:]}
    assert committed == made, "You are here because a wall was added or taken away: run `make prove-isolation`."


@pytest.mark.parametrize("name", ["sound", "column captured by the inner table"])
def test_a_planted_defect_is_found_and_a_sound_table_is_not_accused(connection, name):
    found = find_planted(connection, PLANTED.get(name, SOUND_RIGHTS))
    assert bool(found) == (name != "sound"), found
