"""Have turns or sends of one business done again, by an operator: first a dry run, with --go for good.

    python scripts/replay.py <tenant> turns --from 2026-11-27T10:00 --to 2026-11-27T11:30 --channel whatsapp
    python scripts/replay.py <tenant> sends --ids <outbox id> ... --go

"turns" are messages that ended as failed, over_budget, outside_window or unsupported; "sends" are rows of the outbox
that failed. Whom nobody may write to stays left out. Each is in the audit log; cron_recover wakes the workers soon.
The environment is that of a function of the server (docs/operations.md). Exit code 1 when nothing is found.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from shared.clock import Deadline
from shared.data import store

SECONDS = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what is found by how it had ended."""
    told = _read(arguments)
    ids = [str(one) for one in told.ids] if told.ids else None
    replayed = store.replay(
        str(told.tenant), told.what, ids, told.begin, told.end, told.channel, not told.go, Deadline(SECONDS)
    )
    for reason, count in sorted(Counter(str(one.reason) for one in replayed).items()):
        print(f"{count:>6}  {reason}")
    if not replayed:
        print("Nothing that ended so is found.")
        return 1
    print(f"{len(replayed)} {told.what} {'go back to the workers' if told.go else 'would go back; add --go to do it'}.")
    return 0


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tenant", type=UUID)
    parser.add_argument("what", choices=("turns", "sends"))
    parser.add_argument("--ids", type=UUID, nargs="+", help="of the inbox, or of the outbox")
    parser.add_argument("--from", dest="begin", type=_moment, help="received (turns) or written (sends) at or after")
    parser.add_argument("--to", dest="end", type=_moment, help="and before")
    parser.add_argument("--channel", choices=("whatsapp", "instagram", "messenger"))
    parser.add_argument("--go", action="store_true", help="do it; without, nothing is changed")
    told = parser.parse_args(arguments)
    if not told.ids and told.begin is None:
        parser.error("say which: --ids, or --from")
    return told


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.astimezone()


if __name__ == "__main__":
    sys.exit(main())
