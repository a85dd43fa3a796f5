"""Proof that the tests can see the guards: weaken each of them in turn, in a scratch copy, and demand a red run.

    python scripts/prove_guards.py [--only WORD] [--write]

Each mutant of scripts/guard_mutants.py is one change that opens a door a little. It is killed when the guards' own
tests, the refusal matrix or the audit fail; it survives when all of them pass. Prints one line a mutant as it goes,
and the score. --write puts the score into docs/guard-proof.md, with the commit it was made at.
Exit codes: 0 every mutant was killed, 1 one survived, 2 a mutant no longer fits the code or the unchanged copy fails.
"""

import argparse
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from scripts.guard_mutants import MUTANTS, Mutant  # noqa: E402

COPIES = 2
REPORT = PROJECT / "docs" / "guard-proof.md"
PYTEST = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", "-W", "ignore"]
# From the fastest to the slowest; the first that fails kills.
CHECKS = {
    "unit tests": [*PYTEST, "tests/shared/guard", "tests/shared/cloud", "tests/shared/abuse"],
    "audit": [sys.executable, "scripts/audit_guards.py"],
    "refusal matrix": [*PYTEST, "tests/refusals"],
    "function tests": [*PYTEST, "tests/functions", "tests/differential"],
}
SECONDS_PER_CHECK = 300


class Unfit(Exception):
    """A mutant whose text is not in the code exactly once, or a copy that fails before anything was changed."""


@dataclass(frozen=True)
class Result:
    """`killed_by` is the name of the check that failed, or an empty string for a survivor."""

    mutant: Mutant
    killed_by: str
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--only", default="", help="only mutants whose name holds this word")
    parser.add_argument("--write", action="store_true", help=f"write {REPORT.relative_to(PROJECT)}")
    options = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if options.only in mutant.name]
    try:
        results = prove(chosen)
    except Unfit as error:
        print(error, file=sys.stderr)
        return 2
    survivors = [result for result in results if not result.killed_by]
    print(f"{len(results) - len(survivors)} of {len(results)} mutants killed")
    if options.write:
        REPORT.write_text(render(results))
    return 1 if survivors else 0


def prove(mutants: list[Mutant]) -> list[Result]:
    """Every mutant's fate, in the order of the list. Raises Unfit."""
    for mutant in mutants:
        try:
            mutant.check(PROJECT)
        except ValueError as error:
            raise Unfit(str(error)) from None
    waiting: queue.SimpleQueue[tuple[int, Mutant]] = queue.SimpleQueue()
    for place, mutant in enumerate(mutants):
        waiting.put((place, mutant))
    results: dict[int, Result] = {}
    with tempfile.TemporaryDirectory(prefix="portero-proof-") as folder:
        copies = [copy_project(Path(folder) / str(number)) for number in range(COPIES)]
        failed = first_failure(copies[0], CHECKS)
        if failed:
            raise Unfit(f"The unchanged copy does not pass: {failed}")
        workers = [threading.Thread(target=work, args=(copy, waiting, results)) for copy in copies]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    return [results[place] for place in sorted(results)]


def work(copy: Path, waiting: "queue.SimpleQueue[tuple[int, Mutant]]", results: dict[int, Result]) -> None:
    """Take mutants until there are none left."""
    while True:
        try:
            place, mutant = waiting.get_nowait()
        except queue.Empty:
            return
        began = time.monotonic()
        original = mutant.apply(copy)
        try:
            killed_by = first_failure(copy, own_tests(mutant) | CHECKS)
        finally:
            (copy / mutant.path).write_text(original)
        results[place] = Result(mutant, killed_by, time.monotonic() - began)
        fate = f"killed by {killed_by}" if killed_by else "SURVIVED"
        print(f"{len(results):>3}  {mutant.name:<64} {fate}", flush=True)


def own_tests(mutant: Mutant) -> dict[str, list[str]]:
    """The test file that mirrors the mutant's file, which fails soonest; none where there is none."""
    path = Path("tests") / Path(mutant.path).with_name(f"test_{Path(mutant.path).name}")
    return {path.as_posix(): [*PYTEST, path.as_posix()]} if (PROJECT / path).is_file() else {}


def first_failure(copy: Path, checks: dict[str, list[str]]) -> str:
    """The name of the first check that fails in a copy, or an empty string. A check that hangs has failed."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    for name, command in checks.items():
        try:
            ran = subprocess.run(command, cwd=copy, env=environment, capture_output=True, timeout=SECONDS_PER_CHECK)
        except subprocess.TimeoutExpired:
            return name
        if ran.returncode:
            return name
    return ""


def copy_project(target: Path) -> Path:
    """What git tracks or would track, copied."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (PROJECT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, target / name)
    return target


def render(results: list[Result]) -> str:
    """The page: score, commit, day, and each mutant with what killed it."""
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, capture_output=True, text=True)
    killed = sum(bool(result.killed_by) for result in results)
    rows = [f"| {result.mutant.name} | {result.killed_by or '**survived**'} |" for result in results]
    return "\n".join(
        [
            "# Proof that the tests can see the guards",
            "",
            f"`scripts/prove_guards.py`, {date.today().isoformat()}, on top of commit {head.stdout.strip()}: "
            f"**{killed} of {len(results)} mutants killed.**",
            "Each line is one change that opens a door a little, and the first check that went red.",
            "",
            "| what was weakened | seen by |",
            "|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
