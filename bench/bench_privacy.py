"""What masking catches, spares and costs, beside Presidio's patterns, detect-secrets and Sentry's scrubber.

    .venv/bin/python bench/bench_privacy.py [--each 80] [--peers 20]

Lines and objects that no rule was tuned on (tests/shared/privacy/unseen.py): `--each` of every class for ours and
`--peers` for the peers, which take up to a hundred times as long. Recall and damage in per cent, CPU time. A value
counts as caught when no eight digits (ten letters) in a row of it are left, a field to keep as damaged when it is no
longer there to the letter. What is counted: bench/README.md.
"""

import argparse
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.peers.report import Table
from bench.privacy.evaluation import HOSTILE, evaluate, figures
from bench.privacy.install import InstallError, prepare
from bench.privacy.lines import lines
from bench.privacy.objects import evaluate_objects, objects
from bench.privacy.seeds import OBJECTS, UNSEEN
from shared.metrics import Call
from shared.privacy import scrub
from shared.privacy.logs import JsonLines, carrying
from tests.shared.privacy.unseen import TEMPLATES

PROJECT = Path(__file__).resolve().parent.parent
LOG_RECORDS = 2000
PEERS = ("Presidio patterns", "detect-secrets", "Sentry scrubber")
RECALL = (
    ("telephones", "phone", 97.0),
    ("WhatsApp ids (JID, BSUID, group, wamid)", "whatsapp", 97.0),
    ("e-mail", "email", 97.0),
    ("documents", "documents", 97.0),
    ("cards", "card", 97.0),
    ("IP addresses", "ip", 97.0),
    ("all personal data", "pii", 99.5),
    ("all secrets", "secret", 99.5),
    ("worst class", "worst", 97.0),
    ("hard contexts", "hard", 90.0),
    ("objects", "objects", 97.0),
)
DAMAGE = (
    ("lines with nothing to mask", "lost negative", 1.0),
    ("lines with a value", "lost ordinary", 1.0),
    ("hard contexts", "lost hard", 1.0),
    ("objects", "lost objects", 1.0),
)
COST = (
    ("µs per 300 characters, p50", "p50", 60.0),
    ("µs per 300 characters, p99", "p99", 150.0),
    ("ms for the slowest hostile 20 kB", "hostile", 50.0),
    ("ms to import, all rules compiled", "import", 20.0),
    ("µs for the log line of a call", "line answered", 120.0),
    ("µs for a warning with a number in it", "line warning", 120.0),
    ("µs for a fault with its traceback", "line fault", 120.0),
    ("changed by a second pass", "unstable", 0.0),
    ("raised", "failed", 0.0),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=80)
    parser.add_argument("--peers", type=int, default=20)
    options = parser.parse_args()
    found = {"ours": ours(options.each), **peers(options.peers)}
    for title, rows, least in (
        ("Recall, %", RECALL, True),
        ("Fields to keep that were damaged, %", DAMAGE, False),
        ("Cost", COST, False),
    ):
        table = Table(title, list(found))
        for label, key, bar in rows:
            value = float(found["ours"][key])
            met = value >= bar if least else value <= bar
            table.row(label, [shown(one, key) for one in found.values()], f"{'>=' if least else '<='} {bar:g}", met)
        print(table.text(), end="\n\n")
    print(f"worst class of ours: {found['ours']['worst name']}")
    for name, one in found.items():
        if "problem" in one:
            print(f"{name} was not measured: {one['problem']}")
    return 0


def ours(each: int) -> dict[str, Any]:
    """The figures of `scrub`."""
    score = evaluate(scrub, list(lines(TEMPLATES, UNSEEN, each)))
    of_objects = evaluate_objects(scrub, list(objects(OBJECTS, each)))
    slowest = 0.0
    for text in HOSTILE.values():
        began = time.process_time()
        scrub(text)
        slowest = max(slowest, time.process_time() - began)
    return figures(score, of_objects) | {"hostile": slowest * 1000, "import": import_time()} | log_lines()


def log_lines() -> dict[str, float]:
    """Median microseconds of CPU for a record through the whole set-up: masked, made JSON, with its metrics."""
    log = logging.getLogger("bench")
    try:
        raise ValueError("customer +54 9 11 5555-0101 is unknown")
    except ValueError:
        fault = sys.exc_info()
    records = {
        "line answered": ({"status": 200, "duration_ms": 17, "call": Call("answered", 17)}, None),
        "line warning": ({"reason": "no account for 5491155550101", "attempts": 2}, None),
        "line fault": ({"duration_ms": 3}, fault),
    }
    formatter, medians = JsonLines(), {}
    with carrying(request_id=str(uuid.uuid4()), function="webhook_meta", guard="hmac", tenant=str(uuid.uuid4())):
        for name, (extra, error) in records.items():
            times = []
            for _ in range(LOG_RECORDS):
                began = time.process_time_ns()
                formatter.format(log.makeRecord("bench", logging.ERROR, "", 0, "answered", (), error, extra=extra))
                times.append((time.process_time_ns() - began) / 1000)
            medians[name] = statistics.median(times)
    return medians


def import_time() -> float:
    """Milliseconds of CPU to import shared.privacy with its bytecode there, as in a zip, and to compile every rule."""
    code = (
        "import json, re, time, typing; began = time.process_time(); import shared.privacy\n"
        "from shared.privacy.patterns import compile_all; compile_all(); print((time.process_time() - began) * 1000)"
    )
    with tempfile.TemporaryDirectory() as caches:
        command = [sys.executable, "-X", f"pycache_prefix={caches}", "-c", code]
        environment = {"PYTHONDONTWRITEBYTECODE": ""}
        times = [
            float(subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, check=True).stdout)
            for _ in range(6)
        ]
    return min(times[1:])


def peers(each: int) -> dict[str, dict[str, Any]]:
    """The figures of the peers, each in a process of its own; a peer that is not there says why."""
    try:
        python = prepare()
    except InstallError as error:
        return {name: {"problem": str(error)} for name in PEERS}
    return {name: peer(python, name, each) for name in PEERS}


def peer(python: Path, name: str, each: int) -> dict[str, Any]:
    """The figures of one."""
    print(f"bench: {name}", file=sys.stderr, flush=True)
    command = [str(python), "-m", "bench.privacy.peers", name, str(each)]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if ran.returncode:
        return {"problem": ran.stderr.strip().rpartition("\n")[2][:200]}
    figures_of_it: dict[str, Any] = json.loads(ran.stdout)
    return figures_of_it


def shown(one: dict[str, Any], key: str) -> str:
    """One cell."""
    if key not in one:
        return "-"
    value = float(one[key])
    return f"{value:.0f}" if key in ("unstable", "failed") or value >= 1000 else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
