"""What is not built yet is known by name, and becomes less."""

import ast
from pathlib import Path

from local.plan import ACCOUNT, PROJECT, REGION, STAGE
from local.template import load_template

LIST = PROJECT / "tests" / "output" / "not_built.txt"
# You are here because a function was built: take its line out of the list, and lower this number with it.
MAXIMUM = 9


def listed() -> list[str]:
    return [line for line in LIST.read_text().splitlines() if not line.startswith("#")]


def is_unbuilt(path: Path) -> bool:
    """Whether anything in the file makes a NotBuilt."""
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "NotBuilt"
        for node in ast.walk(ast.parse(path.read_text()))
    )


def test_the_list_is_what_the_code_says():
    unbuilt = [path.stem for path in sorted((PROJECT / "functions").glob("*.py")) if is_unbuilt(path)]
    assert listed() == unbuilt, (
        f"You are here because {sorted({*listed()} ^ {*unbuilt})} is either built but still in "
        f"{LIST.relative_to(PROJECT)}, or not built and not in it: edit that list (sorted), and MAXIMUM here."
    )


def test_the_list_only_shrinks():
    assert len(listed()) == MAXIMUM, (
        f"You are here because {LIST.relative_to(PROJECT)} has {len(listed())} names: lower MAXIMUM to that. It rises "
        f"only by scripts/new_function.py, for a function that is new."
    )


def test_a_schedule_rests_until_its_function_is_built():
    template = load_template(PROJECT / "serverless.yml", STAGE, REGION, ACCOUNT)
    resting = {schedule.function for schedule in template.schedules if not schedule.enabled}
    assert resting == {name for name in listed() if name.startswith("cron_")}, (
        "You are here because a schedule is on whose function would only fail, or off though its function is built: "
        "edit `enabled` of its schedule in serverless.yml."
    )


def test_an_unbuilt_function_says_so_behind_its_guard(world):
    assert world.call_as_owner("/app/export", {}).status_code == 501
    assert world.call("POST", "/app/export", json={}).status_code == 401
