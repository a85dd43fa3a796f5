"""Rotate the keys that channels' access tokens are encrypted under: one tenant after the other, or one alone.

    python scripts/rotate_keys.py --rewrap          the master key has changed: wrap each data key anew
    python scripts/rotate_keys.py --new-data-keys   a new data key for each tenant, everything encrypted anew
                                  [--tenant ID] [--after ID] [--local]

It does what the functions do, with their settings in the environment: SUPABASE_URL, PARAMETER_PREFIX (the secret key
is read from there), KMS_KEY_ID, AWS_REGION and AWS credentials that may ssm:GetParameters, kms:Encrypt and
kms:Decrypt. `--local` takes the offline world that `make dev` runs instead.

Nothing stands still meanwhile, and nothing is lost when it is interrupted: run it again, with --after where it
stopped. Prints counts and ids of tenants, never a key. Exit codes: 0 done; 1 a tenant failed, or all did; 2 wrong
arguments; 130 interrupted. docs/operations.md says when to do what.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from shared.clock import Deadline
from shared.data import credentials
from shared.errors import Problem

PAGE = 200
PAGE_SECONDS = 20.0
TENANT_SECONDS = 60.0
# Then it is not this tenant's fault, and each of the next ones would wait for its time-out.
MAXIMUM_FAILURES = 10

# Adds what it did with one tenant to the counts.
Job = Callable[[str, dict[str, int]], None]


def rewrap(tenant: str, counts: dict[str, int]) -> None:
    """Wrap the data keys of one tenant anew. Raises Problem."""
    counts["data keys wrapped"] += credentials.rewrap(tenant, Deadline(TENANT_SECONDS))


def make_new_data_key(tenant: str, counts: dict[str, int]) -> None:
    """A new data key for one tenant. Raises Problem."""
    rotated = credentials.rotate(tenant, Deadline(TENANT_SECONDS))
    counts["data keys made"] += rotated.version > 0
    counts["credentials encrypted"] += rotated.encrypted
    counts["data keys dropped"] += rotated.dropped


def visit(tenants: Iterator[str], job: Job) -> int:
    """Do the job for each tenant, tell how far it is, and give the exit code."""
    counts = dict.fromkeys(("data keys wrapped", "data keys made", "credentials encrypted", "data keys dropped"), 0)
    visited = failed = 0
    last = ""
    try:
        for tenant in tenants:
            try:
                job(tenant, counts)
            except Problem as problem:
                failed += 1
                print(f"tenant {tenant} failed: {problem.name}", file=sys.stderr)
            visited, last = visited + 1, tenant
            if visited % PAGE == 0:
                print(_summary(visited, failed, counts), flush=True)
            if failed == MAXIMUM_FAILURES:
                print(f"Stopped: {failed} tenants failed.", file=sys.stderr)
                break
    except Problem as problem:
        failed += 1
        print(f"Stopped: the tenants could not be listed ({problem.name}).{_way_on(last)}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"\n{_summary(visited, failed, counts)}")
        print(f"Interrupted.{_way_on(last)}", file=sys.stderr)
        return 130
    print(_summary(visited, failed, counts))
    return 1 if failed else 0


def tenants_after(after: str | None) -> Iterator[str]:
    """All tenants with data keys, in the order of their ids. Raises Problem."""
    while page := credentials.tenants(after, PAGE, Deadline(PAGE_SECONDS)):
        yield from page
        after = page[-1]


def _summary(visited: int, failed: int, counts: dict[str, int]) -> str:
    done = "".join(f", {count} {what}" for what, count in counts.items() if count)
    return f"{visited} tenants{done}, {failed} failed"


def _way_on(last: str) -> str:
    return f" Go on with: --after {last}" if last else " Nothing was done."


def _tenant(text: str) -> str:
    return str(UUID(text))


def _enter_offline_world() -> None:
    """Raises SystemExit when there is none."""
    # Imported here: only the offline world has these.
    from local.environment import server_variables
    from local.parts import PLAN_FILE
    from local.plan import load

    plan = load(PLAN_FILE)
    if plan is None:
        raise SystemExit("There is no offline world here: make dev makes one.")
    os.environ.update(server_variables(plan))


def main(arguments: Sequence[str]) -> int:
    """Read the command line, rotate, give the exit code."""
    parser = argparse.ArgumentParser(
        prog="rotate_keys.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--rewrap", dest="job", action="store_const", const=rewrap)
    what.add_argument("--new-data-keys", dest="job", action="store_const", const=make_new_data_key)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--tenant", type=_tenant, metavar="ID", help="this one alone")
    which.add_argument("--after", type=_tenant, metavar="ID", help="the tenants behind this one, in the order of ids")
    parser.add_argument("--local", action="store_true", help="in the offline world")
    options = parser.parse_args(arguments)
    if options.local:
        _enter_offline_world()
    tenants = iter([options.tenant]) if options.tenant else tenants_after(options.after)
    return visit(tenants, options.job)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
