"""The isolation prober: every relation and function of the catalog, attacked by everybody who should not get in.

It owns the data: it has seeded every row itself and knows by the row's text whose it is, so it asks no policy what is
right. `probe()` gives a report with what was found, what was counted, and the mark of a run that came to its end.
"""

from collections import Counter
from dataclasses import dataclass

import psycopg

from tests.isolation.functions import probe_functions
from tests.isolation.ground import Enough, Finding, Ground
from tests.isolation.inventory import Relation, take_inventory
from tests.isolation.privileges import assert_privileges, table_of_privileges
from tests.isolation.scopes import probe_scopes
from tests.isolation.sides import ATTACKER, VICTIM
from tests.isolation.tables import control_tables, probe_tables

PROBES = ("read", "update", "move", "delete", "insert", "upsert", "oracle", "guard", "call", "scope", "control")


@dataclass(frozen=True)
class Report:
    """What a run found and counted, by actor and kind of probe. A report without `complete` proves nothing."""

    findings: list[Finding]
    counts: Counter[tuple[str, str]]
    relations: int
    functions: int
    rows: int
    privileges: str
    complete: bool

    def text(self) -> str:
        """As people read it."""
        end = "complete" if self.complete else "NOT COMPLETE"
        lines = [
            f"{self.relations} relations, {self.functions} functions, {self.rows} seeded rows:"
            f" {self.counts.total()} probes, {len(self.findings)} findings, {end}",
            "",
            f"{'':<36} {' '.join(f'{probe:>7}' for probe in PROBES)}",
        ]
        for actor in dict.fromkeys(actor for actor, probe in self.counts if probe in PROBES):
            cells = (self.counts[actor, probe] or "." for probe in PROBES)
            lines.append(f"{actor:<36} {' '.join(f'{cell:>7}' for cell in cells)}")
        totals = (sum(count for (_, of), count in self.counts.items() if of == probe) for probe in PROBES)
        lines.append(f"{'all':<36} {' '.join(f'{total:>7}' for total in totals)}")
        return "\n".join([*lines, "", *map(str, self.findings)]).rstrip() + "\n"


def probe(
    connection: psycopg.Connection, privileges: str | None = None, *, first: bool = False, focus: str = ""
) -> Report:
    """Probe a seeded database inside the connection's transaction; everything is undone but the caller's own changes.

    `privileges` is the table that the privileges must be like. With `first` the first finding ends the run, which
    begins at the relation or function called `focus`.
    """
    inventory = take_inventory(connection, focus)
    ground = Ground(connection, inventory, first=first)
    complete, found = False, ""
    try:
        for table in inventory.tables:
            _assert_seeded(ground, table)
        assert_privileges(ground)
        found = table_of_privileges(ground)
        if privileges is not None and found != privileges:
            ground.find("privileges", "-", _first_difference(privileges, found), "is not as the committed table says")
        control_tables(ground)
        probe_scopes(ground)
        probe_functions(ground)
        probe_tables(ground)
        complete = True
    except Enough:
        pass
    return Report(
        ground.findings,
        ground.counts,
        len(inventory.relations),
        len(inventory.functions),
        sum(map(len, ground.rows.values())),
        found,
        complete,
    )


def _assert_seeded(ground: Ground, table: Relation) -> None:
    """A table without rows, or a column that no row fills, would pass every probe and prove nothing."""
    ground.count("seeded", "-")
    name, rows = table.name, ground.rows[table.name]
    for side in (VICTIM, ATTACKER) if table.tenant else ():
        if not ground.rows_of(table, side):
            ground.find("seeded", "-", name, f"has no row of side {side.letter}: add it to tests/isolation/seed.py")
    empty = [column for column in table.columns if all(row[column] is None for row in rows)]
    if empty or not rows:
        ground.find("seeded", "-", name, f"nothing fills {', '.join(empty) or 'it'}: tests/isolation/seed.py")


def _first_difference(committed: str, found: str) -> str:
    lines = set(committed.splitlines())
    extra = [line.strip() for line in found.splitlines() if line not in lines]
    return extra[0] if extra else "something that the table names and the database does not have"
