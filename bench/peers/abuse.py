"""Plays the abuse cases against every subject and counts what each passes."""

import contextlib
import sys
from collections.abc import Iterator

from bench.peers.cases import CASES, Case, Stage, variables_of
from bench.peers.install import Folders
from bench.peers.report import Table
from bench.peers.subjects import SUBJECTS, Process, Stuck, Subject, environment, fill_secrets
from bench.peers.upstreams import Upstreams


def abuse_table(folders: Folders, upstreams: Upstreams) -> Table:
    """One row a case, and the count."""
    table = Table("Abuse cases", [subject.name for subject in SUBJECTS])
    passed = {subject.name: [play(case, folders, subject, upstreams) for case in CASES] for subject in SUBJECTS}
    for place, case in enumerate(CASES):
        results = {name: found[place] for name, found in passed.items()}
        table.row(case.name, ["pass" if one else "FAIL" for one in results.values()])
    ours = sum(passed["ours"])
    table.row(
        "passed", [str(sum(found)) for found in passed.values()], f"{len(CASES)} of {len(CASES)}", ours == len(CASES)
    )
    return table


def play(case: Case, folders: Folders, subject: Subject, upstreams: Upstreams) -> bool:
    """Whether the subject passes; a subject that gets stuck or dies does not."""
    print(f"bench: {subject.name}: {case.name}", file=sys.stderr, flush=True)
    upstreams.forget()
    fill_secrets(upstreams)
    try:
        with _stage(case, folders, subject, upstreams) as stage:
            return case.play(stage)
    except (Stuck, RuntimeError):
        return False
    finally:
        fill_secrets(upstreams)


@contextlib.contextmanager
def _stage(case: Case, folders: Folders, subject: Subject, upstreams: Upstreams) -> Iterator[Stage]:
    with Process(folders, subject.module, variables_of(case, upstreams)) as process:

        def sweep() -> None:
            if subject.sweeper:
                with Process(folders, subject.sweeper, environment(upstreams)) as sweeper:
                    sweeper.call({"authorization": "Bearer CRON_SECRET"})

        yield Stage(process, upstreams, sweep)
