"""Every step broken in every way, and many seeded runs: `make faults`. Writes tests/output/faults.txt."""

import logging
import random
import sys
from collections import Counter

from local.world import PROJECT, running_world
from tests.faults.line import MODES, Fault, line
from tests.faults.scene import SEED, STEPS, given_up, play

PAGE = PROJECT / "tests" / "output" / "faults.txt"
SEEDED = 400
EVERY = 50


def main() -> int:
    """Run, say what went wrong, write the page; 1 when anything did."""
    logging.disable(logging.CRITICAL)
    counts: Counter[str] = Counter()
    with running_world() as world, line(world) as watched:
        for step in STEPS:
            for mode in MODES:
                _count(counts, f"{mode} at {step}", play(world, watched, Fault(step, mode)), given_up(world))
        for seed in range(SEEDED):
            chance = random.Random(SEED + seed)
            fault = Fault(chance.choice(STEPS), chance.choice(MODES))
            _count(
                counts,
                f"seed {seed}: {fault.mode} at {fault.step}",
                play(world, watched, fault, chance),
                given_up(world),
            )
    PAGE.write_text(_page(counts), encoding="utf-8")
    print(_page(counts), end="")
    return 1 if counts["lost"] or counts["duplicate"] or counts["other"] else 0


def _count(counts: Counter[str], what: str, wrong: list[str], unknown: int) -> None:
    counts["runs"] += 1
    counts["given up"] += unknown
    for said in wrong:
        kind = said.partition(":")[0]
        counts[kind if kind in ("lost", "duplicate") else "other"] += 1
        print(f"{what}: {said}", file=sys.stderr)
    if counts["runs"] % EVERY == 0:
        print(f"{counts['runs']} runs", file=sys.stderr)


def _page(counts: Counter[str]) -> str:
    return (
        "# What is lost, and what is sent twice, when something breaks on the way from a message to its answer\n"
        f"# {len(STEPS)} steps, each broken in {len(MODES)} ways; {SEEDED} seeded runs of several customers with\n"
        "# repeated and disordered deliveries and two workers at once. Written by `make faults`.\n"
        f"{counts['runs']} runs\n{counts['lost']} lost\n{counts['duplicate']} duplicate\n"
        f"{counts['other']} holds or claims left over\n"
        f"{counts['given up']} replies given up as no_status: they had left, or their worker died on the way out\n"
    )


if __name__ == "__main__":
    sys.exit(main())
