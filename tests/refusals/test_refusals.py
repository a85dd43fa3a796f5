"""Every function is called rightly, attacked, and called rightly again; in between nothing in the world has changed.

The result is a table that people read, tests/output/refusals.txt. It is compared, and written by nobody but a person:
a difference is a change of what the doors let in.
"""

import pytest

from local.plan import ACCOUNT, PROJECT, REGION
from local.template import STAND_INS, load_template
from local.world import World
from shared import clock
from tests.refusals.attacks import CRON, DOES_NOT_APPLY, HMAC, PUBLIC, QUEUE, Attack, Target
from tests.refusals.console import JWT, strangers_token
from tests.refusals.rows import ROWS
from tests.refusals.world_state import state_of

COMMITTED = PROJECT / "tests" / "output" / "refusals.txt"
LONGEST_ANSWER = 300
# What names something of this machine: the stage is a part of it, and so are the parameters' names.
LOCAL_NAMES = {"PARAMETER_PREFIX", "SUPABASE_PUBLISHABLE_KEY", "ALLOWED_ORIGINS", "AI_MODEL", "EMBEDDING_MODEL"}
BY_KIND = {"hmac": HMAC, "jwt": JWT, "cron": CRON, "queue": QUEUE, "public": PUBLIC}
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


@pytest.mark.parametrize("stage", ["offline", "prod"])
def test_the_doors_refuse_what_the_committed_table_says(world, tmp_path, stage):
    strangers_token(world)
    if stage == "prod":
        _deploy_as_prod(world)
    table = "\n".join(_section(world, kind, attacks) for kind, attacks in BY_KIND.items())
    actual = tmp_path / "refusals.txt"
    actual.write_text(table)
    assert table == COMMITTED.read_text(), (
        f"You are here because a door refuses something else than {COMMITTED.relative_to(PROJECT)} says. "
        f"Read the difference to {actual}; if it is what you meant, edit the committed table by hand."
    )


def _deploy_as_prod(world: World) -> None:
    """Give each function the environment of the template of prod, but for addresses and names of this machine."""
    template = load_template(PROJECT / "serverless.yml", "prod", REGION, ACCOUNT)
    for name, variables in world.variables.items():
        deployed = template.functions[name].environment
        here = {setting for setting, value in variables.items() if "127.0.0.1" in value or setting in LOCAL_NAMES}
        assert deployed.keys() - STAND_INS.keys() <= variables.keys(), f"{name}: the world lacks a setting of prod"
        variables |= {
            setting: value
            for setting, value in deployed.items()
            if isinstance(value, str) and setting not in here | STAND_INS.keys()
        }
        assert variables["STAGE"] == "prod"


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
