"""Ask linters that are not ours about the database that the migrations make.

    python scripts/lint_database.py [--pgrls PROGRAM]

Makes a throw-away database, applies the migrations, asks, then plants the defects of lint_database_canary.sql and asks
again: a linter that does not find those was not looking. What a linter finds in the migrations is mended in a new one,
or stands with its reason in lint_database_exceptions.txt. Prints a table for each linter, and keeps splinter's in
tests/output/lint_database.txt when all is well.

- splinter, the query behind the advisors of Supabase's console. It comes with the Postgres language server, from
  package-lock.json, which has it for Linux on x86-64 only.
- pgrls, when --pgrls names its program. It stands on pglast, which is GPL, so this project does not install it.

Exit codes: 0 all is well; 1 a finding without an exception, an exception without a finding, or a defect that was not
seen; 2 a linter could not be asked.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import psycopg

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from local.migrations import migrate, split_statements  # noqa: E402
from local.postgres import ADMIN, Cluster, temporary_cluster  # noqa: E402
from local.supabase import bootstrap  # noqa: E402
from scripts.check_template import ToolError, install_node_packages  # noqa: E402

EXCEPTIONS = PROJECT / "scripts" / "lint_database_exceptions.txt"
CANARY = PROJECT / "scripts" / "lint_database_canary.sql"
OUTPUT = PROJECT / "tests" / "output" / "lint_database.txt"
# What the Data API serves (the exposed schemas of the project). Without it, half of splinter's rules find nothing.
EXPOSED = "public"
OURS = "public,private"
PGRLS_VERSION = "0.57.1"
# In place of an object: the rule is not asked at all.
NOT_ASKED = "off"


class Finding(NamedTuple):
    """What a linter says about one object."""

    rule: str
    object: str
    message: str


class Entry(NamedTuple):
    """One line of the exceptions: a rule, a pattern of objects, and why this is meant to be so."""

    linter: str
    rule: str
    object: str
    reason: str

    def covers(self, linter: str, finding: Finding) -> bool:
        """Whether this is what the linter found."""
        return (self.linter, self.rule) == (linter, finding.rule) and fnmatchcase(finding.object, self.object)


class Planted(NamedTuple):
    """A defect of the canary: which linter has to find it, by which rule and on what."""

    linter: str
    rule: str
    object: str


class Linter(NamedTuple):
    """A linter's name, all of its rules, and how it is asked: the address of a database, rules to leave out."""

    name: str
    rules: Sequence[str]
    ask: Callable[[str, Sequence[str]], list[Finding]]


@dataclass
class Report:
    """What one linter said, and what of it is wrong."""

    linter: Linter
    not_asked: list[Entry]
    found: Counter[str] = field(default_factory=Counter)
    excepted: Counter[str] = field(default_factory=Counter)
    open: list[Finding] = field(default_factory=list)
    stale: list[Entry] = field(default_factory=list)
    planted: Counter[str] = field(default_factory=Counter)
    unseen: list[Planted] = field(default_factory=list)

    def table(self) -> str:
        """A line for each rule, and one for the sum."""
        left_out = {entry.rule for entry in self.not_asked}
        still = Counter(finding.rule for finding in self.open)
        blind = Counter(planted.rule for planted in self.unseen)
        lines = [f"{'linter':<9} {'rule':<27} {'found':>5} {'excepted':>9} {'open':>5} {'planted':>8} {'seen':>5}"]
        rules = sorted({*self.linter.rules, *self.found, *self.planted})
        for rule in rules:
            if rule in left_out:
                lines.append(f"{self.linter.name:<9} {rule:<27} {'not asked':>15}")
            else:
                planted = self.planted[rule]
                seen = (planted, planted - blind[rule]) if planted else ("-", "-")
                counts = f"{self.found[rule]:>5} {self.excepted[rule]:>9} {still[rule]:>5} {seen[0]:>8} {seen[1]:>5}"
                lines.append(f"{self.linter.name:<9} {rule:<27} {counts}")
        sums = (self.found.total(), self.excepted.total(), len(self.open), self.planted.total())
        counts = f"{sums[0]:>5} {sums[1]:>9} {sums[2]:>5} {sums[3]:>8} {sums[3] - len(self.unseen):>5}"
        lines.append(f"{self.linter.name:<9} {'together':<27} {counts}")
        return "\n".join(lines) + "\n"

    def problems(self) -> Iterator[str]:
        """What is wrong, each in a line that says what to do."""
        name, file = self.linter.name, EXCEPTIONS.relative_to(PROJECT)
        for finding in self.open:
            said = finding.message.partition(". ")[0].rstrip(".")
            yield f"{name} {finding.rule} {finding.object}: {said}. Mend it in a migration, or edit {file}."
        for entry in self.stale:
            yield f"{name} {entry.rule} {entry.object}: nothing needs this exception any more, take it out of {file}."
        for planted in self.unseen:
            yield (
                f"{name} {planted.rule} {planted.object}: planted and not found, so the linter did not look. "
                f"Its silence about the migrations says nothing; see {CANARY.relative_to(PROJECT)}."
            )


def lint(linters: Sequence[Linter], exceptions: Sequence[Entry], planted: Sequence[Planted]) -> list[Report]:
    """Ask each linter about the migrations, then about the canary; one database for all. Raises ToolError."""
    with migrated_database() as (cluster, address):
        said = [linter.ask(address, _left_out(linter, exceptions)) for linter in linters]
        plant(cluster)
        said_of_canary = [linter.ask(address, _left_out(linter, exceptions)) for linter in linters]
    return [judge(*asked, exceptions, planted) for asked in zip(linters, said, said_of_canary, strict=True)]


def judge(
    linter: Linter,
    findings: Sequence[Finding],
    of_canary: Sequence[Finding],
    exceptions: Sequence[Entry],
    planted: Sequence[Planted],
) -> Report:
    """Which findings have no exception, which exceptions no finding, and which planted defects were not found."""
    mine = [entry for entry in exceptions if entry.linter == linter.name]
    report = Report(linter, [entry for entry in mine if entry.object == NOT_ASKED])
    used: set[Entry] = set()
    for finding in findings:
        report.found[finding.rule] += 1
        entry = next((entry for entry in mine if entry.covers(linter.name, finding)), None)
        if entry is None:
            report.open.append(finding)
        else:
            report.excepted[finding.rule] += 1
            used.add(entry)
    report.stale = [
        entry for entry in mine if entry not in used and not (entry.object == NOT_ASKED and entry.rule in linter.rules)
    ]
    seen = {(finding.rule, finding.object) for finding in of_canary}
    for defect in planted:
        if defect.linter == linter.name:
            report.planted[defect.rule] += 1
            if (defect.rule, defect.object) not in seen:
                report.unseen.append(defect)
    return report


@contextmanager
def migrated_database() -> Iterator[tuple[Cluster, str]]:
    """A server whose database has every migration and the setting that splinter asks for, and its address."""
    with temporary_cluster() as cluster:
        with psycopg.connect(cluster.dsn()) as connection:
            bootstrap(connection)
            connection.execute(f"alter database postgres set pgrst.db_schemas = '{EXPOSED}'")
        with psycopg.connect(cluster.dsn("postgres")) as connection:
            migrate(connection, PROJECT / "supabase" / "migrations")
        password = quote(cluster.password, safe="")
        yield cluster, f"postgresql://{ADMIN}:{password}@127.0.0.1:{cluster.port}/postgres?sslmode=disable"


def plant(cluster: Cluster) -> None:
    """Put the defects of the canary into the database, as a superuser: some are none of the developer's to make."""
    with psycopg.connect(cluster.dsn()) as connection:
        for statement in split_statements(CANARY.read_text()):
            connection.execute(statement)


def read_planted(path: Path = CANARY) -> list[Planted]:
    """The findings that the canary names."""
    return [Planted(*found.groups()) for found in re.finditer(r"(?m)^-- (\w+): (\w+) (\S+)$", path.read_text())]


def read_exceptions(path: Path = EXCEPTIONS) -> list[Entry]:
    """The exceptions of a file. Raises ToolError for a line without all of its parts."""
    entries = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            parts = line.split(maxsplit=3)
            if len(parts) < 4 or len(parts[3].split()) < 3:
                raise ToolError(f"{path.name}:{number}: an exception is a linter, a rule, an object and a reason")
            entries.append(Entry(*parts))
    return entries


def splinter() -> Linter:
    """Splinter, installed from package-lock.json when it is not there. Raises ToolError."""
    install_node_packages(PROJECT)
    folder = PROJECT / "node_modules" / "@postgres-language-server" / "cli-x86_64-linux-gnu"
    if not (folder / "postgres-language-server").is_file():
        raise ToolError(
            "package-lock.json has the Postgres language server for Linux on x86-64 (glibc) only, and this is "
            f"{platform.platform()}: ask splinter there"
        )
    groups = json.loads((folder / "schema.json").read_text(encoding="utf-8"))["definitions"]
    rules = {group: set(groups[group]["properties"]) - {"all", "recommended"} for group in ("Performance", "Security")}

    def ask(address: str, left_out: Sequence[str]) -> list[Finding]:
        asked: dict[str, Any] = {"all": True}
        for group, names in rules.items():
            asked[group.lower()] = {name: "off" for name in left_out if name in names}
        settings = {"splinter": {"enabled": True, "rules": asked}, "pglinter": {"enabled": False}}
        with tempfile.TemporaryDirectory() as place:
            Path(place, "postgres-language-server.jsonc").write_text(json.dumps(settings))
            options = [f"--config-path={place}", "--max-diagnostics=none", "--reporter=json"]
            said = _run([str(folder / "postgres-language-server"), "dblint", *options], address, place)
        return [_splinter_finding(diagnostic) for diagnostic in said["diagnostics"]]

    return Linter("splinter", sorted(rules["Performance"] | rules["Security"]), ask)


def _splinter_finding(diagnostic: dict[str, str]) -> Finding:
    """The object is in the text only: the first name in quotes, and the second when it is a part of the first."""
    message = diagnostic["message"].replace("\\`", "`").replace("`.`", ".")
    names = re.findall(r'[`"]([\w.]+)[`"]', message) or ["-"]
    named = ".".join(names[:2]) if "." in names[0] else names[0]
    return Finding(diagnostic["category"].rpartition("/")[2], named, message)


def pgrls(program: Path) -> Linter:
    """The program that somebody installed. Raises ToolError, also when it is another version: its rules are others."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError as error:
        raise ToolError(f"{program} cannot be run: {error.strerror}") from None
    if PGRLS_VERSION not in said.split():
        raise ToolError(f"{program} is not pgrls {PGRLS_VERSION}, which the exceptions are for: {said.strip()}")

    def ask(address: str, left_out: Sequence[str]) -> list[Finding]:
        options = ["--format", "json", "--schemas", OURS, *(f"--exclude-rule={rule}" for rule in left_out)]
        with tempfile.TemporaryDirectory() as place:
            said = _run([str(program), "lint", *options], address, place)
        return [Finding(item["rule_id"], item["location"], item["message"]) for item in said["violations"]]

    return Linter("pgrls", (), ask)


def _run(command: list[str], address: str, place: str) -> Any:
    """What a linter printed, read as JSON. A folder of its own is its home, so that no settings of ours reach it."""
    environment = {"PATH": os.defpath, "HOME": place, "DATABASE_URL": address}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        said = (done.stderr or done.stdout).strip()[-800:]
        raise ToolError(f"{Path(command[0]).name} did not answer in JSON: {said}") from None


def _left_out(linter: Linter, exceptions: Sequence[Entry]) -> list[str]:
    return [entry.rule for entry in exceptions if entry.linter == linter.name and entry.object == NOT_ASKED]


def main(arguments: Sequence[str]) -> int:
    """Ask, print the tables, and give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pgrls", type=Path, metavar="PROGRAM", help=f"ask pgrls {PGRLS_VERSION} too")
    options = parser.parse_args(arguments)
    try:
        linters = [splinter()] + ([pgrls(options.pgrls.resolve())] if options.pgrls else [])
        reports = lint(linters, read_exceptions(), read_planted())
    except ToolError as error:
        print(f"The database could not be linted: {error}", file=sys.stderr)
        return 2
    print("\n".join(report.table() for report in reports), flush=True)
    problems = [problem for report in reports for problem in report.problems()]
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    OUTPUT.write_text(reports[0].table())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
