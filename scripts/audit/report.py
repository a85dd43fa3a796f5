"""The audit's result for people (a table), for programs (JSON) and for code scanners (SARIF 2.1.0, OASIS)."""

import json
import textwrap
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from scripts.audit.declared import Declared
from scripts.audit.findings import RULES, Finding
from scripts.audit.suite import Audit
from scripts.audit.waivers import Waived

JSON_VERSION = 1
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
HEADER = ("function", "guard", "called by", "secrets", "rate", "seconds")
# The widest that these columns get; what is longer goes on in the next line.
WIDEST = (20, 25, 36, 7, 4, 7)


def table(audit: Audit) -> str:
    """At most 110 columns: how each function is guarded and called, its secrets, rate and time."""
    rows = [HEADER, *(_cells(function) for function in audit.functions)]
    wrapped = [[textwrap.wrap(cell, most) or [""] for cell, most in zip(row, WIDEST, strict=True)] for row in rows]
    widths = [max(len(line) for row in wrapped for line in row[column]) for column in range(len(HEADER))]
    lines = []
    for row in wrapped:
        for place in range(max(map(len, row))):
            cells = [cell[place] if place < len(cell) else "" for cell in row]
            lines.append("  ".join(map(_aligned, cells, widths, range(len(cells)))).rstrip())
    return "\n".join(lines)


def summary(audit: Audit) -> str:
    """The last line."""
    waived = f", {len(audit.waived)} waived" if audit.waived else ""
    return f"{len(audit.functions)} functions, {len(audit.findings)} findings{waived}"


def lines(audit: Audit) -> list[str]:
    """A line for each finding: where, what to do, and the rule."""
    said = [f"{finding.place}: {finding.message} [{finding.rule}]" for finding in audit.findings]
    for entry in audit.waived:
        why = f"waived until {entry.waiver.expires}, {entry.waiver.reason}"
        said.append(f"{entry.finding.place}: {why} [{entry.finding.rule}]")
    # The name of a file may hold anything, and a terminal or a log obeys some of it.
    return ["".join(sign if sign.isprintable() else "?" for sign in line) for line in said]


def _cells(function: Declared) -> tuple[str, ...]:
    # A public function's rate is of its kind: calls a minute from one address, not of one user.
    rate = function.options.get("rate") or function.arguments.get("rate") or "-"
    seconds = f"{function.arguments.get('seconds', '?')}/{function.timeout or '?'}".replace(".0/", "/")
    guard = function.guard.replace(f"(rate={rate})", "") if function.kind == "public" else function.guard
    return (function.name, guard, ", ".join(function.events), str(len(function.secrets)), str(rate), seconds)


def _aligned(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column >= 3 else cell.ljust(width)


def as_json(audit: Audit) -> str:
    """`version` 1: `functions` (as declared, with `events` and `timeout` as deployed), `findings`, `waived`, `counts`.

    A finding is `file`, `line`, `rule`, `message`; a waived one has `reason` and `expires` as well. Names are only
    added within a version.
    """
    document = {
        "version": JSON_VERSION,
        "functions": [function.as_data() for function in audit.functions],
        "findings": [finding.as_data() for finding in audit.findings],
        "waived": [
            {**entry.finding.as_data(), "reason": entry.waiver.reason, "expires": entry.waiver.expires.isoformat()}
            for entry in audit.waived
        ],
        "counts": {
            "functions": len(audit.functions),
            "findings": len(audit.findings),
            "waived": len(audit.waived),
        },
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def as_sarif(audit: Audit) -> str:
    """A SARIF log with every rule; waived findings are suppressed results."""
    rules = [
        {
            "id": rule,
            "shortDescription": {"text": text},
            "fullDescription": {"text": text},
            "help": {"text": f"{text} The finding says what to do."},
            "defaultConfiguration": {"level": "error"},
        }
        for rule, text in RULES.items()
    ]
    places = {rule: place for place, rule in enumerate(RULES)}
    results = [*_results(audit.findings, places), *(_suppressed(entry, places) for entry in audit.waived)]
    run = {
        "tool": {"driver": {"name": "audit_guards", "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"PROJECT": {"description": {"text": "The project's folder."}}},
        "results": results,
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _results(findings: Iterable[Finding], places: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "ruleId": finding.rule,
            "ruleIndex": places[finding.rule],
            "level": "error",
            "message": {"text": finding.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(finding.file), "uriBaseId": "PROJECT"},
                        "region": {"startLine": finding.line},
                    }
                }
            ],
        }
        for finding in findings
    ]


def _suppressed(entry: Waived, places: dict[str, int]) -> dict[str, Any]:
    result = _results([entry.finding], places)[0]
    return {**result, "suppressions": [{"kind": "external", "justification": entry.waiver.reason}]}
