"""Every function is called rightly, attacked, and called rightly again; in between nothing in the world has changed.

The result is a table that people read, tests/output/refusals.txt. It is compared, and written by nobody but a person:
a difference is a change of what the doors let in.
"""

from local.plan import PROJECT
from local.world import World
from shared import clock
from tests.refusals.attacks import CRON, DOES_NOT_APPLY, HMAC, PUBLIC, QUEUE, Attack, Target
from tests.refusals.console import JWT, strangers_token
from tests.refusals.internal import INTERNAL
from tests.refusals.rows import ROWS
from tests.refusals.world_state import state_of

COMMITTED = PROJECT / "tests" / "output" / "refusals.txt"
LONGEST_ANSWER = 300
BY_KIND = {"hmac": HMAC, "jwt": JWT, "cron": CRON, "queue": QUEUE, "public": PUBLIC, "internal": INTERNAL}
ADMITTED = {"200", "201", "501", "ran", "1+0-"}
# What an attack of this name may get beside a refusal, and why.
NOT_REFUSED = {
    "replay": "a repeated delivery is answered, and has no second effect",
    "malformed beside a good one": "the good records pass, the malformed ones come back",
}


def test_every_function_has_a_row():
    assert ROWS.keys() == {path.stem for path in (PROJECT / "functions").glob("*.py")}, (
        "You are here because a function has no row (or a row no function): edit tests/refusals/rows.py."
    )


def test_the_doors_refuse_what_the_committed_table_says(world, tmp_path):
    strangers_token(world)
    table = "\n".join(_section(world, kind, attacks) for kind, attacks in BY_KIND.items())
    actual = tmp_path / "refusals.txt"
    actual.write_text(table)
    assert table == COMMITTED.read_text(), (
        f"You are here because a door refuses something else than {COMMITTED.relative_to(PROJECT)} says. "
        f"Read the difference to {actual}; if it is what you meant, edit the committed table by hand."
    )


def _section(world: World, kind: str, attacks: dict[str, Attack]) -> str:
    targets = [target for name, target in sorted(ROWS.items()) if target.kind.partition("(")[0] == kind]
    lines = [f"# {kind}: {len(attacks)} attacks, one a column", ""]
    lines += [f"#  {number:>2} {name}" for number, name in enumerate(attacks, 1)]
    header = " ".join(f"{number:>5}" for number in range(1, len(attacks) + 1))
    lines += ["", f"{'function':<20} {'guard':<26} {'good':>5} {header} {'good':>5}"]
    lines += [_row(world, target, attacks) for target in targets]
    return "\n".join([*lines, ""])


def _row(world: World, target: Target, attacks: dict[str, Attack]) -> str:
    # Held still, so that a call signed twice is the same call.
    with clock.held_at(clock.now()):
        before_attacks = _good(world, target)
        state = state_of(world)
        cells = [_cell(world, target, name, attack) for name, attack in attacks.items()]
        assert state_of(world) == state, f"{target.function}: a refused call changed something"
        after_attacks = _good(world, target)
    assert before_attacks == after_attacks
    return f"{target.function:<20} {target.kind:<26} {before_attacks:>5} {' '.join(cells)} {after_attacks:>5}"


def _good(world: World, target: Target) -> str:
    answer = target.ask(world, target.good(world))
    assert answer.said in ADMITTED, f"{target.function}: a good call got {answer.said} {answer.body}"
    return answer.said


def _cell(world: World, target: Target, name: str, attack: Attack) -> str:
    answer = attack(world, target)
    if answer is None:
        return f"{DOES_NOT_APPLY:>5}"
    if name not in NOT_REFUSED:
        assert answer.said not in ADMITTED, f"{target.function}: {name!r} got in ({answer.said})"
    assert len(answer.body) <= LONGEST_ANSWER, f"{target.function}: {name!r} is told too much"
    assert "Traceback" not in answer.body
    return f"{answer.said:>5}"
