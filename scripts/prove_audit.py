"""Proof that the audit sees evasions: plant each of them alone in a scratch copy, and demand a finding of its rule.

    python scripts/prove_audit.py [--only WORD] [--write]

scripts/evasions/ lists them. Without --write, docs/audit-proof.md is compared with the list.
Exit codes: 0 every evasion is seen, 1 one is not, 2 the page is stale, an evasion no longer fits the code, or the
unchanged copy has findings.
"""

import argparse
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from scripts.audit.findings import AuditError  # noqa: E402
from scripts.audit.suite import audit  # noqa: E402
from scripts.evasions import EVASIONS, GROUPS  # noqa: E402
from scripts.evasions.evasion import Evasion  # noqa: E402

PAGE = "docs/audit-proof.md"
PROCESSES = 2
# What the audit reads.
COPIED = (
    *("functions", "shared", "supabase/migrations", "tests/refusals", "tests/output", "serverless.yml"),
    *("scripts/audit_allowances.txt", "scripts/audit_waivers.txt"),
)


class Unfit(Exception):
    """An evasion whose text is not in the code, or a copy with findings before anything was planted."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--only", default="", help="only evasions whose name holds this word")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE}")
    options = parser.parse_args()
    chosen = [evasion for evasion in EVASIONS if options.only in evasion.name]
    began = time.monotonic()
    try:
        seen = prove(chosen)
    except Unfit as error:
        print(error, file=sys.stderr)
        return 2
    for evasion in chosen:
        if evasion.rule not in seen[evasion.name]:
            others = ", ".join(sorted(seen[evasion.name])) or "nothing"
            print(f"NOT SEEN by {evasion.rule}: {evasion.name} ({evasion.file}; seen by {others})")
    count = sum(evasion.rule in seen[evasion.name] for evasion in chosen)
    print(f"{count} of {len(chosen)} evasions seen in {time.monotonic() - began:.0f} s")
    if count < len(chosen):
        return 1
    if options.write:
        (PROJECT / PAGE).write_text(render(), encoding="utf-8")
    elif not is_current():
        print(f"{PAGE} is stale: run scripts/prove_audit.py --write", file=sys.stderr)
        return 2
    return 0


def prove(evasions: list[Evasion]) -> dict[str, set[str]]:
    """Return the rules that see each evasion, by its name. Raises Unfit."""
    parts = [evasions[start::PROCESSES] for start in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES) as pool:
        return {name: rules for part in pool.map(prove_part, parts) for name, rules in part.items()}


def prove_part(evasions: list[Evasion]) -> dict[str, set[str]]:
    """Plant one after the other in one copy. Raises Unfit."""
    with tempfile.TemporaryDirectory(prefix="portero-audit-") as folder:
        copy = copy_project(Path(folder))
        if before := rules_broken(copy):
            raise Unfit(f"The unchanged copy has findings: {', '.join(sorted(before))}")
        seen = {evasion.name: rules_with(evasion, copy) for evasion in evasions}
        if after := rules_broken(copy):
            raise Unfit(f"The restored copy has findings: {', '.join(sorted(after))}")
        return seen


def copy_project(target: Path) -> Path:
    """Copy what the audit reads."""
    for name in COPIED:
        source = PROJECT / name
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.is_file():
            shutil.copy(source, target / name)
    return target


def rules_with(evasion: Evasion, copy: Path) -> set[str]:
    """Plant one evasion, audit, restore. Raises Unfit."""
    path = copy / evasion.file
    original = path.read_text(encoding="utf-8") if path.is_file() else None
    planted = evasion.planted(original)
    if planted is None or planted == original:
        raise Unfit(f"{evasion.name}: its text is not in {evasion.file}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(planted, encoding="utf-8")
    try:
        return rules_broken(copy)
    finally:
        if original is None:
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
        else:
            path.write_text(original, encoding="utf-8")


def rules_broken(copy: Path) -> set[str]:
    """Return the rules of all findings in a copy."""
    try:
        return {finding.rule for finding in audit(copy, date.today()).findings}
    except AuditError as error:
        return {f"no audit: {error}"}


def render() -> str:
    """Return the page: each evasion, its file and the rule that sees it."""
    rules = len({evasion.rule for evasion in EVASIONS})
    lines = [
        "# Proof that the audit sees evasions",
        "",
        f"`make prove-audit` plants each of these {len(EVASIONS)} evasions alone in a copy of the project.",
        f"Each is seen by the named check, {rules} checks in all; one that is not seen fails the command.",
        "`scripts/prove_audit.py --write` writes this page from `scripts/evasions/`.",
    ]
    for title, evasions in GROUPS.items():
        lines += ["", f"## {title} ({len(evasions)})", "", "| evasion | file | check |", "|---|---|---|"]
        lines += [f"| {evasion.name} | {evasion.file} | {evasion.rule} |" for evasion in evasions]
    return "\n".join([*lines, ""])


def is_current() -> bool:
    """Return whether the committed page lists the evasions of the table."""
    page = PROJECT / PAGE
    return page.is_file() and page.read_text(encoding="utf-8") == render()


if __name__ == "__main__":
    sys.exit(main())
