"""What a webhook costs from nothing: bare start, import with one TLS context, first request, modules, memory.

    .venv/bin/python bench/bench_cold_start.py [--rounds 7] [--write DATE]

Fresh processes, subject after subject in each round, medians over the rounds. CPU time, since the machine is shared.
What is counted, and the peers: bench/README.md.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.peers.events import body_of, event, fresh_id
from bench.peers.install import Folders, InstallError, prepare, prepare_here
from bench.peers.report import Table, publish
from bench.peers.subjects import (
    LEGEND,
    SUBJECTS,
    Process,
    Subject,
    bare_start,
    environment,
    fill_secrets,
    median,
)
from bench.peers.upstreams import Upstreams
from scripts.deployment.runtime import PackageError

BAR_IMPORT, BAR_COLD = 6.0, 100.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", metavar="DATE", help="keep the tables in docs/benchmarks/guard.md")
    options = parser.parse_args()
    try:
        packaged, bare_sources = prepare(), prepare(bytecode=False)
    except (InstallError, PackageError) as error:
        print(f"Not measured: {error}", file=sys.stderr)
        return 1
    upstreams = Upstreams()
    fill_secrets(upstreams)
    tables = [
        measure(packaged, upstreams, options.rounds),
        without_bytecode(bare_sources, upstreams, options.rounds),
        here(prepare_here(), upstreams, options.rounds),
    ]
    upstreams.close()
    publish("Cold start", LEGEND, tables, packaged.python, options.write)
    return 0


def measure(folders: Folders, upstreams: Upstreams, rounds: int) -> Table:
    """The main table."""
    bare: list[float] = []
    found: dict[str, list[dict[str, float]]] = {subject.name: [] for subject in SUBJECTS}
    for _ in range(rounds):
        bare.append(bare_start(folders.python))
        for subject in SUBJECTS:
            found[subject.name].append(start_cold(folders, subject, upstreams))
    start = median(bare)
    print(f"bare interpreter start: {start:.1f} CPU ms", flush=True)
    table = Table(f"Packaged, with bytecode (bare start {start:.1f} CPU ms)", [subject.name for subject in SUBJECTS])
    middle = {name: {key: median(one[key] for one in results) for key in results[0]} for name, results in found.items()}
    table.row("import and one TLS context, CPU ms", [f"{one['import']:.1f}" for one in middle.values()])
    table.row(
        "the same, in bare starts",
        [f"{one['import'] / start:.1f}x" for one in middle.values()],
        bar=f"<= {BAR_IMPORT:.0f}x",
        met=middle["ours"]["import"] / start <= BAR_IMPORT,
    )
    table.row("first request, CPU ms", [f"{one['first']:.1f}" for one in middle.values()])
    table.row(
        "cold total with the interpreter, CPU ms",
        [f"{one['total']:.1f}" for one in middle.values()],
        bar=f"<= {BAR_COLD:.0f}",
        met=middle["ours"]["total"] <= BAR_COLD,
    )
    table.row("first request, round trips", [f"{one['calls']:.0f}" for one in middle.values()])
    table.row("of these secrets, once a start", [f"{one['secrets']:.0f}" for one in middle.values()])
    table.row("modules", [f"{one['modules']:.0f}" for one in middle.values()])
    table.row("resident memory, MB", [f"{one['resident']:.0f}" for one in middle.values()])
    return table


def without_bytecode(folders: Folders, upstreams: Upstreams, rounds: int) -> Table:
    """The same from sources alone, as a zip without bytecode has it at every cold start."""
    table = Table("From sources, without bytecode", [subject.name for subject in SUBJECTS])
    found = {
        subject.name: median(start_cold(folders, subject, upstreams)["import"] for _ in range(max(3, rounds // 2)))
        for subject in SUBJECTS
    }
    table.row("import and one TLS context, CPU ms", [f"{value:.0f}" for value in found.values()])
    return table


def here(folders: Folders, upstreams: Upstreams, rounds: int) -> Table:
    """Ours and the floor on the Python that develops; the peers' libraries are installed for Lambda's only."""
    subjects = [subject for subject in SUBJECTS if subject.name in ("floor", "ours")]
    start = median(bare_start(folders.python) for _ in range(rounds))
    version = ".".join(str(part) for part in sys.version_info[:2])
    table = Table(f"Python {version} (bare start {start:.1f} CPU ms)", [subject.name for subject in subjects])
    found = [[start_cold(folders, subject, upstreams) for subject in subjects] for _ in range(rounds)]
    imported = [median(one[place]["import"] for one in found) for place in range(len(subjects))]
    total = [median(one[place]["total"] for one in found) for place in range(len(subjects))]
    table.row("import and one TLS context, CPU ms", [f"{value:.1f}" for value in imported])
    table.row("the same, in bare starts", [f"{value / start:.1f}x" for value in imported])
    table.row("cold total with the interpreter, CPU ms", [f"{value:.1f}" for value in total])
    return table


def start_cold(folders: Folders, subject: Subject, upstreams: Upstreams) -> dict[str, float]:
    """One fresh process and its first accepted webhook. CPU milliseconds, counts, megabytes."""
    upstreams.forget()
    with Process(folders, subject.module, environment(upstreams)) as process:
        if "error" in process.imported:
            raise RuntimeError(f"{subject.name} does not import: {process.imported['error']}")
        upstreams.calls.clear()
        first = process.call(event(body_of(fresh_id())))
    if first["status"] != 200:
        raise RuntimeError(f"{subject.name} did not accept a good webhook: {first['answer']}")
    imported, started = process.imported["import_us"] / 1000, process.imported["start_us"] / 1000
    return {
        "import": imported,
        "first": first["cpu_us"] / 1000,
        "total": started + imported + first["cpu_us"] / 1000,
        "calls": sum(upstreams.calls.values()),
        "secrets": upstreams.calls["secrets"],
        "modules": first["modules"],
        "resident": first["resident_mb"],
    }


if __name__ == "__main__":
    sys.exit(main())
