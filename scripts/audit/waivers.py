"""Waivers: findings that are known, for a written reason and until a date. One a line, in scripts/audit_waivers.txt:

    <rule> <file> <last day, YYYY-MM-DD> <reason>

A waiver that has ended, that is not needed, or that cannot be read is a finding itself, and none covers those.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from scripts.audit.findings import RULES, AuditError, Finding

FILE = "scripts/audit_waivers.txt"
MAXIMUM_DAYS = 90
MINIMUM_REASON = 3  # words
UNWAIVABLE = frozenset(rule for rule in RULES if rule.startswith("waiver-")) | {"no-functions"}


@dataclass(frozen=True)
class Waiver:
    """`expires` is the last day on which it holds."""

    rule: str
    file: str
    expires: date
    reason: str
    line: int


@dataclass(frozen=True)
class Waived:
    """A finding with the waiver that covers it."""

    finding: Finding
    waiver: Waiver


def apply(project: Path, findings: list[Finding], today: date) -> tuple[list[Finding], list[Waived]]:
    """What remains, with what is wrong with the waivers, and what is waived."""
    waivers, remaining = _read(project / FILE, today)
    waived: list[Waived] = []
    for finding in findings:
        covering = [waiver for waiver in waivers if (waiver.rule, waiver.file) == (finding.rule, finding.file)]
        live = [waiver for waiver in covering if waiver.expires >= today]
        if live:
            waived.append(Waived(finding, live[0]))
        else:
            remaining.append(finding)
    remaining += _check(waivers, {(finding.rule, finding.file) for finding in findings}, today)
    return remaining, waived


def _check(waivers: list[Waiver], found: set[tuple[str, str]], today: date) -> Iterator[Finding]:
    for waiver in waivers:
        if (waiver.rule, waiver.file) not in found:
            message = f"take this line out: {waiver.file} no longer breaks {waiver.rule}"
            yield Finding(FILE, waiver.line, "waiver-unneeded", message)
        elif waiver.expires < today:
            message = f"mend {waiver.file}, or say anew why not: this ended on {waiver.expires}"
            yield Finding(FILE, waiver.line, "waiver-expired", message)


def _read(path: Path, today: date) -> tuple[list[Waiver], list[Finding]]:
    waivers: list[Waiver] = []
    findings: list[Finding] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, ValueError) as error:
        raise AuditError(f"{FILE} cannot be read: {error}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        waiver = _parse(line, number, today)
        if waiver is None:
            message = (
                f"write: <rule> <file> <last day, YYYY-MM-DD, within {MAXIMUM_DAYS} days> <reason, 3 words or more>"
            )
            findings.append(Finding(FILE, number, "waiver-malformed", message))
        else:
            waivers.append(waiver)
    return waivers, findings


def _parse(line: str, number: int, today: date) -> Waiver | None:
    parts = line.split(maxsplit=3)
    if len(parts) < 4 or parts[0] not in RULES.keys() - UNWAIVABLE or len(parts[3].split()) < MINIMUM_REASON:
        return None
    try:
        expires = date.fromisoformat(parts[2])
    except ValueError:
        return None
    if (expires - today).days > MAXIMUM_DAYS:
        return None
    return Waiver(parts[0], parts[1], expires, parts[3], number)
