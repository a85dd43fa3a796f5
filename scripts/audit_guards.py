"""Audit: does every function declare its guard, and do file, GUARD, serverless.yml and tests agree?

Reads the code without importing it. Prints a table and, on standard error, what to do about each finding.

    python scripts/audit_guards.py [project folder]             the table for people
    python scripts/audit_guards.py --json | --sarif             for programs, for code scanners
    python scripts/audit_guards.py --probe URL [--origin URL]   attack a running deployment as well

The probe sends each HTTP route of serverless.yml the attacks that need no secret, and reports what came back. It
leaves nothing behind but lines in the log and, from Mercado Pago's webhook, a few rows in quarantine.

Exit codes: 0 all is well; 1 findings, or an attack was not refused; 2 the audit could not be made (wrong arguments,
missing or unreadable files to compare with, an address where nobody answers).

What is known and accepted for a while stands in scripts/audit_waivers.txt.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.audit import report
from scripts.audit.findings import AuditError
from scripts.audit.suite import Audit, audit

PROJECT = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str], today: Callable[[], date] = date.today) -> int:
    """Run the audit, print it, and give the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.probe and options.sarif:
        parser.error("--sarif is for the static audit: ask --probe for --json")
    try:
        found = audit(options.project, today())
        refused = _probe(found, options) if options.probe else _print(found, options)
    except (AuditError, OSError) as error:
        print(f"The audit could not be made: {error}", file=sys.stderr)
        return 2
    return 1 if found.findings or not refused else 0


def _print(found: Audit, options: argparse.Namespace) -> bool:
    if options.json or options.sarif:
        print(report.as_json(found) if options.json else report.as_sarif(found))
        return True
    print(report.table(found))
    # Flushed, so that a terminal shows the findings below the table.
    print(report.summary(found), flush=True)
    for line in report.lines(found):
        print(line, file=sys.stderr)
    return True


def _probe(found: Audit, options: argparse.Namespace) -> bool:
    """Attack, print; whether every attack was refused."""
    # Imported here: the static audit needs neither an HTTP client nor cryptography.
    from scripts.audit.probe import probe
    from scripts.audit.probe_report import print_report

    for line in report.lines(found):
        print(line, file=sys.stderr)
    outcomes = probe(options.probe, found.functions, options.origin, options.issuer)
    return print_report(options.probe, outcomes, as_json=options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="audit_guards.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("project", nargs="?", type=Path, default=PROJECT, help="its folder; this one unless given")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON (its shape: scripts/audit/report.py)")
    form.add_argument("--sarif", action="store_true", help="print SARIF 2.1.0")
    parser.add_argument("--probe", metavar="URL", help="attack the deployment at this address")
    parser.add_argument(
        "--origin",
        metavar="URL",
        default="https://attacker.example",
        help="the foreign web page the probe pretends to be",
    )
    parser.add_argument(
        "--issuer", metavar="URL", default="", help="the issuer that forged tokens name (https://<project>/auth/v1)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
