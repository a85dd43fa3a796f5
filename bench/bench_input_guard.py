"""The input guard and the output guard: what they find, what they block by mistake, how long they take.

    .venv/bin/python bench/bench_input_guard.py [--date 2026-11-26] [FILE.jsonl ...]

A file holds lines {"text", "label": "attack" or "benign", "lang", "kind"} that the guard was not trained on; without
one the battery's own families are measured (tests/adversarial), which are fewer.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.input_guard import peers
from bench.peers.report import Table, machine
from shared.safety import scan
from shared.safety.answers import AnswerGuard
from tests.adversarial.families import FAMILIES, WRITINGS
from tests.shared.safety import leaks

PROJECT = Path(__file__).resolve().parent.parent
PAGE = PROJECT / "docs" / "benchmarks" / "input-guard.md"
Row = dict[str, Any]
Guard = Callable[[str], float]
LEAKS = 10_000
MUTATED = 300


def main() -> int:
    """Measure, print, and with a date keep the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--date", help="keep the tables in docs/benchmarks/input-guard.md, as of this day")
    parser.add_argument("files", nargs="*", type=Path)
    told = parser.parse_args()
    rows = _read(told.files) if told.files else _own()
    guards: dict[str, Guard] = {
        "ours": lambda text: scan(text).score,
        "15 expressions": peers.expressions,
        "TF-IDF, linear": peers.tf_idf(),
    }
    tables = [
        _found(rows, guards),
        _by(rows, "lang"),
        _by(rows, "kind"),
        _written(rows),
        _times(rows, guards),
        _answers(),
    ]
    print("\n\n".join(table.text() for table in tables))
    if told.date:
        source = "lines of other authors" if told.files else "the battery's families"
        PAGE.write_text("\n\n".join([_head(told.date, source), *(table.markdown() for table in tables)]) + "\n")
        print(f"written: {PAGE.relative_to(PROJECT)}")
    return 0


def _read(files: Sequence[Path]) -> list[Row]:
    return [
        json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines() if line.strip()
    ]


def _own() -> list[Row]:
    return [
        {"text": text, "label": "attack" if is_attack else "benign", "lang": language, "kind": family}
        for family, lines in FAMILIES.items()
        for language, is_attack, text in lines
    ]


def _sides(rows: Sequence[Row], guard: Guard) -> tuple[list[float], list[float]]:
    attacks = [guard(row["text"]) for row in rows if row["label"] == "attack"]
    return attacks, [guard(row["text"]) for row in rows if row["label"] == "benign"]


def _threshold(benign: Sequence[float], share: float) -> float:
    """The score above which at most that share of harmless lines lies."""
    ranked = sorted(benign, reverse=True)
    place = int(share * len(ranked))
    return ranked[place] if place < len(ranked) else -1.0


def _recall(scores: Sequence[float], above: float) -> float:
    return sum(score > above for score in scores) / max(1, len(scores))


def _found(rows: Sequence[Row], guards: dict[str, Guard]) -> Table:
    table = Table(f"{len(rows):,} lines that nobody was trained on", [*guards])
    sides = {name: _sides(rows, guard) for name, guard in guards.items()}
    bars = (("found at 1 % false alarms", 0.01, 0.78), ("found at 0.1 % false alarms", 0.001, 0.60))
    for said, share, bar in bars:
        recalls = [_recall(attacks, _threshold(benign, share)) for attacks, benign in sides.values()]
        table.row(said, [f"{recall:.3f}" for recall in recalls], f">= {bar:.2f}", recalls[0] >= bar)
    table.row("found at its own point", [f"{_recall(attacks, 0.4999):.3f}" for attacks, _ in sides.values()])
    false = [_recall(benign, 0.4999) for _, benign in sides.values()]
    table.row("blocked by mistake at its own point", [f"{share:.4f}" for share in false])
    return table


def _by(rows: Sequence[Row], field: str) -> Table:
    table = Table(f"Ours by {field}", ["attacks", "found", "harmless", "blocked by mistake"])
    for value in sorted({row[field] for row in rows}):
        some = [row for row in rows if row[field] == value]
        attacks, benign = _sides(some, lambda text: scan(text).score)
        bar, met = "", None
        if value in ("service", "service_long", "unicode"):
            bar, met = "0 blocked", not any(score >= 0.5 for score in benign)
        elif value == "overdefence":
            bar, met = "<= 3 %", _recall(benign, 0.4999) <= 0.03
        found, false = (f"{_recall(side, 0.4999):.3f}" if side else "-" for side in (attacks, benign))
        table.row(value, [f"{len(attacks):,}", found, f"{len(benign):,}", false], bar, met)
    return table


def _written(rows: Sequence[Row]) -> Table:
    plain = [row for row in rows if row["kind"] not in ("obfuscated", "payload")]
    attacks = [row["text"] for row in plain if row["label"] == "attack" and scan(row["text"]).verdict == "block"]
    benign = [row["text"] for row in plain if row["label"] == "benign"]
    attacks, benign = attacks[:: max(1, len(attacks) // MUTATED)], benign[:: max(1, len(benign) // MUTATED)]
    table = Table("Ours: the same lines written otherwise, of those found plain", ["found", "harmless blocked"])
    for name, write in WRITINGS.items():
        found = sum(scan(write(text)).verdict == "block" for text in attacks) / max(1, len(attacks))
        false = sum(scan(write(text)).verdict == "block" for text in benign)
        table.row(name, [f"{found:.3f}", str(false)], ">= 0.97, 0", found >= 0.97 and not false)
    return table


def _times(rows: Sequence[Row], guards: dict[str, Guard]) -> Table:
    table = Table("Microseconds", [*guards])
    text = " ".join(row["text"] for row in rows if row["label"] == "benign") * 40
    for length, bar in ((200, 60), (4000, 600)):
        pieces = [
            text[start : start + length] for start in range(0, 200 * length, length) if start + length <= len(text)
        ]
        medians = [_median(guard, pieces) for guard in guards.values()]
        table.row(f"{length:,} characters", [f"{median:.0f}" for median in medians], f"<= {bar}", medians[0] <= bar)
    hostile = (
        "ignore all ",
        "a\u0301\u0316",
        "\ufdfa",
        "i g n o r e ",
        "%25",
        "QUJD",
        "[{(<",
        "0",
        "ignore" + " " * 400,
    )
    worst = [max(_median(guard, [(piece * 4096)[:4096]]) for piece in hostile) for guard in guards.values()]
    table.row("the slowest of nine hostile texts", [f"{time:.0f}" for time in worst], "<= 5,000", worst[0] <= 5000)
    command = "import time; begun = time.perf_counter(); from shared.safety import scan; scan('hola')"
    command += "; print(time.perf_counter() - begun)"
    with tempfile.TemporaryDirectory() as bytecode:
        # Functions are deployed with their bytecode: the first run only writes it.
        environment = {"PYTHONPYCACHEPREFIX": bytecode, "PYTHONPATH": str(PROJECT)}
        cold = [
            float(
                subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, check=True).stdout
            )
            for _ in range(8)
        ][1:]
    first = statistics.median(map(float, cold)) * 1000
    table.row("import and first decision, with bytecode, ms", [f"{first:.0f}", "-", "-"], "<= 30", first <= 30)
    return table


def _median(guard: Guard, texts: Sequence[str]) -> float:
    for text in texts[:20]:
        guard(text)
    times = []
    for _ in range(3):
        for text in texts:
            begun = time.perf_counter()
            guard(text)
            times.append((time.perf_counter() - begun) * 1e6)
    return statistics.median(times)


def _answers() -> Table:
    guard = AnswerGuard(leaks.FACTS)
    missed = sum(
        not set(guard.broken_rules(answer, earlier)) & {"canary", "prompt"}
        for answer, earlier, *_ in leaks.leaks(LEAKS, 1)
    )
    false = sum(bool(guard.broken_rules(answer, earlier)) for answer, earlier in leaks.normal_answers(LEAKS, 2))
    text = " ".join(answer for answer, _ in leaks.normal_answers(200, 3))
    median = _median(
        lambda piece: len(guard.broken_rules(piece)), [text[start : start + 1000] for start in range(0, 12_000, 60)]
    )
    table = Table("The output guard", ["measured"])
    table.row(f"leaks missed of {LEAKS:,}", [str(missed)], "0", missed == 0)
    table.row(f"false alarms in {LEAKS:,} answers", [str(false)], "0", false == 0)
    table.row("an answer of 1,000 characters, µs", [f"{median:.0f}"], "<= 200", median <= 200)
    return table


def _head(date: str, source: str) -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    return (
        "# What the guards of texts find, and what they cost\n\n"
        f"`make bench-input-guard`, {date}, at commit {commit.stdout.strip()}, on {source};\n"
        f"{machine(Path(sys.executable))}.\n"
        "Nothing of these lines was trained on, but the guard's words were widened after looking at what it\n"
        "missed: elsewhere it finds less (docs/decisions/0010-no-model-runtime.md).\n"
        "Times of other machines or days do not compare, ratios do."
    )


if __name__ == "__main__":
    sys.exit(main())
