"""`make isolation`: probe a fresh database, print the report, and keep it when nothing was found."""

import sys
import time

import psycopg

from tests.isolation.database import ISOLATION, PRIVILEGES, seeded_cluster
from tests.isolation.prober import probe


def main() -> int:
    """0 when the run came to its end and found nothing."""
    with seeded_cluster() as cluster, psycopg.connect(cluster.dsn()) as connection:
        started = time.monotonic()
        report = probe(connection, PRIVILEGES.read_text())
        seconds = time.monotonic() - started
    print(report.text())
    print(f"{seconds:.1f} s")
    if report.findings or not report.complete:
        print("One tenant can reach another, or the proof has a hole: see the findings above.", file=sys.stderr)
        return 1
    ISOLATION.write_text(report.text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
