"""What another business is told over HTTP: the console's functions and the Data API, attacked with good tokens.

The prober of tests/isolation looks from inside the database; this one sees what travels: handlers, error bodies,
headers, counts. What was answered is a table that people read, tests/output/isolation_http.txt. It is compared, and
written by nobody but a person.
"""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable

import pytest

from local.plan import PROJECT
from local.world import World
from shared.data.user_store import UserStore
from shared.errors import Problem
from tests.isolation.sides import VICTIM
from tests.isolation_http.console import Line, attack_functions, ids_of
from tests.isolation_http.data_api import Tally, attack_relations, attack_routines
from tests.isolation_http.ground import Ground, seeded_ground
from tests.isolation_http.rows import ROWS, Built

COMMITTED = PROJECT / "tests" / "output" / "isolation_http.txt"
LISTED = PROJECT / "tests" / "output" / "not_built.txt"
VERBS = {"read": 24, "filter": 16, "change": 22, "remove": 16, "add": 26}


def test_every_function_that_a_person_calls_has_a_row():
    functions = {path.stem for kind in ("ai_*.py", "app_*.py") for path in (PROJECT / "functions").glob(kind)}
    assert ROWS.keys() == functions, (
        "You are here because a function has no row (or a row no function): edit tests/isolation_http/rows.py."
    )


def test_a_row_says_whether_its_function_is_built_and_names_all_its_ids():
    unbuilt = {name for name in LISTED.read_text().splitlines() if name.startswith(("ai_", "app_"))}
    for function, row in ROWS.items():
        assert isinstance(row, Built) == (function not in unbuilt), (
            f"You are here because {function} was built (or is no more): give it real ids in rows.py."
        )
        if isinstance(row, Built):
            assert {*row.ids} == ids_of(function), (
                f"You are here because {function} takes other ids than its row in rows.py says."
            )


@pytest.mark.parametrize("section", ["functions", "relations", "routines"])
def test_what_another_business_is_told_is_what_the_committed_table_says(world, tmp_path, section):
    with seeded_ground(world) as ground:
        report = SECTIONS[section](ground)
    sys.stdout.write(f"{report}\n{dict(ground.counts)} requests in all\n{ground.medians()}\n")
    assert ground.findings == [], f"{len(ground.findings)} findings, the first of them:\n" + "\n".join(
        ground.findings[:5]
    )
    actual = tmp_path / "isolation_http.txt"
    actual.write_text(report)
    committed = dict(zip(["head", *SECTIONS], re.split(r"\n(?=# )", COMMITTED.read_text())[-4:], strict=True))
    assert report == committed[section], (
        f"You are here because somebody is told something else than {COMMITTED.relative_to(PROJECT)} says, or because "
        f"there is more to ask. Read the difference to {actual}; if it is what you meant, edit the committed table."
    )


def _section_of_functions(ground: Ground) -> str:
    return "\n".join(
        [
            "# The console's functions, by the place where the ids stand",
            "",
            f"{'function':<20} {'place':<16} {'places':>6} {'foreign':>8} {'absent':>8} {'own':>8}"
            "  the owner's own call",
            *_lines_of_functions(attack_functions(ground)),
            "",
        ]
    )


def _section_of_relations(ground: Ground) -> str:
    relations = attack_relations(ground)
    head = f"{'relation':<20} {'actor':<26}" + "".join(f" {verb:<{width}}" for verb, width in VERBS.items())
    return "\n".join(
        [
            f"# The Data API: {len({name for name, _ in relations})} tables and views, "
            f"{_requests_in(relations)} requests",
            "",
            head.rstrip(),
            *_lines_of(relations, VERBS, 20),
            "",
        ]
    )


def _section_of_routines(ground: Ground) -> str:
    routines = attack_routines(ground)
    return "\n".join(
        [
            f"# The Data API: {len({name for name, _ in routines})} functions, {_requests_in(routines)} requests; all "
            "arguments the victim's, or each of them among one's own",
            "",
            f"{'function':<26} {'actor':<26} {'theirs':<14} mixed",
            *_lines_of(routines, {"theirs": 14, "mixed": 16}, 26),
            "",
        ]
    )


SECTIONS: dict[str, Callable[[Ground], str]] = {
    "functions": _section_of_functions,
    "relations": _section_of_relations,
    "routines": _section_of_routines,
}


def _lines_of_functions(functions: list[Line]) -> list[str]:
    """Places of one kind with the same answers are one line."""
    kinds: Counter[tuple[str, ...]] = Counter()
    for function, place, *answers in functions:
        kinds[function, place.partition(":")[0], *answers] += 1
    return [
        f"{function:<20} {place:<16} {times:>6} {foreign:>8} {absent:>8} {own:>8}  {control}".rstrip()
        for (function, place, foreign, absent, own, control), times in kinds.items()
    ]


def _lines_of(tally: Tally, widths: dict[str, int], first: int) -> list[str]:
    """Actors that are told the same are one line."""
    lines: dict[tuple[str, str], list[str]] = {}
    for (name, actor), verbs in tally.items():
        counted = defaultdict(Counter, verbs)
        cells = [" ".join(f"{status}x{times}" for status, times in sorted(counted[verb].items())) for verb in widths]
        told = "".join(f" {cell or '-':<{width}}" for cell, width in zip(cells, widths.values(), strict=True))
        lines.setdefault((name, told), []).append(actor)
    return [f"{name:<{first}} {', '.join(actors):<26}{told}".rstrip() for (name, told), actors in lines.items()]


def _requests_in(tally: Tally) -> int:
    return sum(counted.total() for verbs in tally.values() for counted in verbs.values())


# The harness itself: each defect is planted, and must be found where it is.
DEFECTS: dict[str, tuple[str, str, str]] = {
    "a policy that lets everybody read": (
        "alter policy member_reads on public.messages using (true)",
        "messages",
        "shows what is the victim's",
    ),
    "a policy that lets everybody write": (
        "alter policy owner_changes on public.tenants using (true) with check (true);"
        " alter policy member_reads on public.tenants using (true)",
        "tenants",
        "changed rows in tenants",
    ),
    "a policy that believes user_metadata": (
        "create policy claimed on public.contacts for select to authenticated using (tenant_id::text ="
        " current_setting('request.jwt.claims', true)::jsonb -> 'user_metadata' ->> 'tenant_id')",
        "contacts",
        "forged, contacts, read",
    ),
    "a table that is open to nobody in particular": (
        "grant select on public.members to anon; create policy open on public.members to anon using (true)",
        "members",
        "nobody, members, read",
    ),
    "a table without row level security": (
        "alter table public.subscriptions disable row level security",
        "subscriptions",
        "shows what is the victim's",
    ),
    "a view with its owner's rights": (
        "alter view public.timeline reset (security_invoker)",
        "timeline",
        "shows what is the victim's",
    ),
    "a key that is unique over all tenants": (
        "create unique index everybodys on public.knowledge_files (name)",
        "knowledge_files",
        "tells what exists",
    ),
    "a reference past the tenant": (
        "alter table public.knowledge_chunks drop constraint knowledge_chunks_tenant_id_file_id_fkey;"
        " alter table public.knowledge_chunks add foreign key (file_id) references public.knowledge_files (id)",
        "knowledge_chunks",
        "changed rows in knowledge_chunks",
    ),
    "a primary key that may be chosen": (
        "grant insert (id) on public.knowledge_files to authenticated",
        "knowledge_files",
        "tells what exists",
    ),
    "a function that asks nobody": (
        "create or replace function public.tenant_keys(p_tenant uuid) returns jsonb language sql security definer"
        " set search_path = '' as $$ select jsonb_agg(to_jsonb(k)) from public.tenant_keys k"
        " where k.tenant_id = p_tenant $$; alter function public.tenant_keys(uuid) owner to postgres;"
        " grant execute on function public.tenant_keys(uuid) to authenticated",
        "tenant_keys",
        "shows what is the victim's",
    ),
    "a function that tells who exists": (
        "create or replace function public.tenant_keys(p_tenant uuid) returns jsonb language plpgsql security definer"
        " set search_path = '' as $$ begin if not exists (select from public.tenants t where t.id = p_tenant) then"
        " raise exception 'no such tenant' using errcode = 'P0002'; end if; raise exception 'not yours'"
        " using errcode = '42501'; end $$; alter function public.tenant_keys(uuid) owner to postgres;"
        " grant execute on function public.tenant_keys(uuid) to authenticated",
        "tenant_keys",
        "tells what exists",
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_of_the_database_is_found(world, defect):
    statement, where, expected = DEFECTS[defect]
    with seeded_ground(world) as ground:
        ground.connection.execute(statement)
        attack_relations(ground, only=where)
        attack_routines(ground, only=where)
    assert any(expected in finding for finding in ground.findings), ground.findings[:5]


def _with_the_secret_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = UserStore.__init__

    def make(self: UserStore, *arguments: object) -> None:
        made(self, *arguments)
        self._client.headers["apikey"] = world.plan.keys.secret
        del self._client.headers["authorization"]

    monkeypatch.setattr(UserStore, "__init__", make)
    # The key alone reaches no table of ours: the defect is the key, and grants such as careless projects have.
    world.rows("grant select on all tables in schema public to service_role")
    world.rows("grant execute on all functions in schema public, private to service_role")
    world.rows(
        "create or replace function private.require_member(p_tenant uuid) returns void"
        " language plpgsql set search_path = pg_catalog, pg_temp as 'begin end'"
    )


def _with_an_answer_of_its_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = UserStore.tenant

    def answer(self: UserStore, tenant: str) -> object:
        if tenant == str(VICTIM.tenant):
            raise Problem("not_yours", 403)
        return ask(self, tenant)

    monkeypatch.setattr(UserStore, "tenant", answer)


def _with_the_tenant_of_a_header(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.guard import declaration

    read = declaration.read_http

    def replace(event: dict[str, object], limit: int) -> object:
        call = read(event, limit)
        said = call.header("x-tenant-id")
        if not said:
            return call
        body = call.body.replace(b"bbbbbbbb-0000-4000-8000-000000000001", said.encode())
        return call._replace(body=body)

    monkeypatch.setattr(declaration, "read_http", replace)
    _with_the_secret_key(world, monkeypatch)


HANDLERS: dict[Callable[[World, pytest.MonkeyPatch], None], str] = {
    _with_the_secret_key: "shows what is the victim's",
    _with_an_answer_of_its_own: "tells what exists",
    _with_the_tenant_of_a_header: "ai_chat, headers: shows what is the victim's",
}


@pytest.mark.parametrize("spoil", HANDLERS)
def test_a_planted_defect_of_a_function_is_found(world, monkeypatch, spoil):
    with seeded_ground(world) as ground:
        spoil(world, monkeypatch)
        attack_functions(ground, only=("ai_chat", "app_upload"))
    assert any(HANDLERS[spoil] in finding for finding in ground.findings), ground.findings[:5]


def test_a_function_that_was_built_without_its_ids_is_found(world, monkeypatch):
    row = ROWS["app_checkout"]
    monkeypatch.setitem(ROWS, "ai_chat", row)
    with seeded_ground(world) as ground:
        attack_functions(ground, only=("ai_chat",))
    assert any("it is built, give it real ids" in finding for finding in ground.findings)
