"""What a customer is called in the logs: reads a phone number or an e-mail address, prints pseudonyms to search for.

    python scripts/lookup_pseudonym.py [--local]

The number comes on standard input, one a line, so that no shell keeps it in its history: type it, or paste it and end
with Ctrl-D. With its country code; every way to write it is understood. Printed are the names under each live key of
PSEUDONYM_KEY, newest first, and never the number.

It wants PARAMETER_PREFIX, AWS_REGION and credentials that may ssm:GetParameters in the environment, as the functions
have them; `--local` takes the offline world that `make dev` runs. Exit codes: 0 printed; 1 the key could not be read;
2 wrong arguments, or nothing was given. docs/operations.md says how to go on.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from shared.errors import Problem
from shared.privacy.pseudonyms import kinds_of, pseudonyms


def tokens(value: str) -> list[str]:
    """The pseudonyms of one value, by kind, newest key first. Raises Problem."""
    return [token for kind in kinds_of(value) for token in pseudonyms(kind, value)]


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
    """Read the command line and standard input, print, give the exit code."""
    parser = argparse.ArgumentParser(
        prog="lookup_pseudonym.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--local", action="store_true", help="in the offline world")
    # Before the command line is read: what it complains about it prints.
    if set(arguments) - {"--local", "--help", "-h"}:
        print("lookup_pseudonym.py: give the number on standard input, not as an argument", file=sys.stderr)
        return 2
    options = parser.parse_args(arguments)
    if options.local:
        _enter_offline_world()
    if sys.stdin.isatty():
        print("Number with its country code, or e-mail address:", file=sys.stderr)
    values = [line.strip() for line in sys.stdin if line.strip()]
    if not values:
        print("lookup_pseudonym.py: nothing was given on standard input", file=sys.stderr)
        return 2
    try:
        for value in values:
            print("\n".join(tokens(value)))
    except Problem as problem:
        print(f"The key could not be read: {problem.name}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
