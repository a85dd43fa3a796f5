"""`make prove-isolation`: weaken every wall of the database in turn and demand that the prober sees it.

Writes the score to tests/output/isolation_mutants.txt when every mutant was killed and every planted defect found.
"""

import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed

import psycopg

from local.postgres import Cluster
from tests.isolation.database import MUTANTS, PRIVILEGES, seeded_cluster
from tests.isolation.ground import Finding
from tests.isolation.mutants import Mutant, make_mutants
from tests.isolation.planted import PLANTED, SOUND, SOUND_RIGHTS
from tests.isolation.prober import probe

WORKERS = 2
STEP = 50
# Seen by the catalog alone, which a planted object cannot escape; the proof is that the data tells too.
CATALOG = {"catalog", "privileges", "function", "seeded"}


def kill(connection: psycopg.Connection, mutant: Mutant) -> Finding | None:
    """What sees the mutant first, or None when it survives. The connection is idle before and after."""
    try:
        connection.execute(mutant.sql)  # type: ignore[arg-type]
        report = probe(connection, PRIVILEGES.read_text(), first=True, focus=mutant.focus)
    finally:
        connection.rollback()
    return report.findings[0] if report.findings else None


def find_planted(connection: psycopg.Connection, defect: str) -> list[Finding]:
    """What sees a planted defect, the catalog's own checks left aside."""
    try:
        connection.execute(SOUND + defect)  # type: ignore[arg-type]
        report = probe(connection)
    finally:
        connection.rollback()
    assert report.complete
    return [finding for finding in report.findings if finding.probe not in CATALOG]


def score_of(killed: list[tuple[str, str]], planted: dict[str, str]) -> str:
    """The committed score: mutants by kind with what saw them, and the planted defects."""
    kinds = Counter(kind for kind, _ in killed)
    lines = [f"{len(killed)} mutants, {len(killed)} killed; {len(planted)} planted defects, {len(planted)} found", ""]
    lines += [f"{'kind of mutant':<34} {'killed':>6}  first seen by"]
    for kind, count in kinds.items():
        seen = Counter(probe for of, probe in killed if of == kind)
        by = ", ".join(
            f"{probe} {number}" for probe, number in sorted(seen.items(), key=lambda item: (-item[1], item[0]))
        )
        lines.append(f"{kind:<34} {count:>6}  {by}")
    lines += ["", f"{'planted defect':<58} seen by"]
    lines += [f"{name:<58} {by}" for name, by in planted.items()]
    return "\n".join(lines) + "\n"


def _kill_all(dsn: str, mutants: list[Mutant]) -> dict[Mutant, str | None]:
    results: dict[Mutant, str | None] = {}
    with psycopg.connect(dsn) as connection:
        for number, mutant in enumerate(mutants, 1):
            finding = kill(connection, mutant)
            results[mutant] = finding.probe if finding else None
            if number % STEP == 0:
                print(f"  {number} of {len(mutants)} mutants of this half", file=sys.stderr, flush=True)
    return results


def _prove(cluster: Cluster) -> int:
    names = [f"proof_{number}" for number in range(WORKERS)]
    for name in names:
        cluster.create_database(name, "postgres")
    with psycopg.connect(cluster.dsn(database=names[0])) as connection:
        mutants = make_mutants(connection)
    results: dict[Mutant, str | None] = {}
    with ProcessPoolExecutor(WORKERS) as pool:
        # Each worker has a database of its own: a weaker wall holds locks that another would wait for. Dealt out like
        # cards, so that the slow kinds are shared.
        running = [
            pool.submit(_kill_all, cluster.dsn(database=name), mutants[place::WORKERS])
            for place, name in enumerate(names)
        ]
        for done in as_completed(running):
            results.update(done.result())
    survivors = [mutant for mutant in mutants if results[mutant] is None]
    planted, missed = {}, []
    with psycopg.connect(cluster.dsn(database=names[0])) as connection:
        false_alarms = find_planted(connection, SOUND_RIGHTS)
        for name, defect in PLANTED.items():
            found = find_planted(connection, defect)
            planted[name] = ", ".join(dict.fromkeys(finding.probe for finding in found))
            missed += [] if found else [name]
    for mutant in survivors:
        print(f"SURVIVED  {mutant.kind}: {mutant.name}\n          {mutant.sql}")
    for name in missed:
        print(f"NOT FOUND  {name}")
    for finding in false_alarms:
        print(f"FALSE ALARM in a sound table  {finding}")
    if survivors or missed or false_alarms:
        return 1
    score = score_of([(mutant.kind, str(results[mutant])) for mutant in mutants], planted)
    MUTANTS.write_text(score)
    print(score)
    return 0


def main() -> int:
    """0 when every mutant is killed, every planted defect found and a sound table passes."""
    started = time.monotonic()
    with seeded_cluster() as cluster:
        result = _prove(cluster)
    print(f"{time.monotonic() - started:.0f} s")
    return result


if __name__ == "__main__":
    sys.exit(main())
