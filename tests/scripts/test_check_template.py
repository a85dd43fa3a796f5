import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import check_template as script
from scripts.check_template import Check, ToolError, ask_cfn_lint, check_lock, install_node_packages, main, run

PROJECT = Path(__file__).resolve().parents[2]


def test_a_lock_file_that_names_a_host_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "package-lock.json"
    path.write_text(json.dumps({"packages": {"a": {"version": "1"}, "b": {"resolved": "address"}}}))
    assert [problem.split(" ")[0] for problem in check_lock(path)] == ["b"]
    assert check_lock(PROJECT / "package-lock.json") == []


def test_the_node_packages_are_installed_once_for_a_lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def install(command: list[str], project: Path) -> None:
        commands.append(command)
        (project / "node_modules").mkdir(exist_ok=True)

    monkeypatch.setattr(script, "run", install)
    monkeypatch.setattr(shutil, "which", lambda name: f"/somewhere/{name}")
    lock = tmp_path / "package-lock.json"
    lock.write_text("one")
    install_node_packages(tmp_path)
    install_node_packages(tmp_path)
    assert [command[:2] for command in commands] == [["/somewhere/npm", "ci"]]
    lock.write_text("two")
    install_node_packages(tmp_path)
    assert len(commands) == 2


def test_a_missing_tool_is_a_failure_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package-lock.json").write_text("one")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ToolError, match=r"install Node\.js"):
        install_node_packages(tmp_path)
    with pytest.raises(ToolError, match="osls is missing or cannot be run"):
        run([str(tmp_path / "osls"), "package"], tmp_path)
    with pytest.raises(ToolError, match=r"(?s)-c failed:.*out of order"):
        run([sys.executable, "-c", "import sys; sys.exit('out of order')"], tmp_path)


def test_cfn_lint_and_its_rules_for_serverless_applications_are_asked(tmp_path: Path) -> None:
    path = tmp_path / "template.json"
    queue = {"Type": "AWS::SQS::Queue", "Properties": {}}
    wrong = {"Type": "AWS::SQS::Queue", "Properties": {"Colour": "red", "RedrivePolicy": {}}}
    path.write_text(json.dumps({"Resources": {"SomeDeadLetters": queue, "Jobs": queue, "Wrong": wrong}}))
    problems, silenced = ask_cfn_lint(path)
    rules = sorted((problem.split(" ")[0], problem.rpartition("(")[2].rstrip(")")) for problem in problems)
    assert ("ES6000", "Resources/Jobs") in rules
    assert ("E3002", "Resources/Wrong/Properties/Colour") in rules
    assert not any("SomeDeadLetters" in place for _, place in rules)
    assert silenced == {"ES6000"}


def test_cfn_lint_that_cannot_run_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ToolError, match=r"cfn-lint is missing beside .*: install requirements-dev\.txt"):
        ask_cfn_lint(tmp_path / "template.json")


def good(project: Path) -> Iterator[Check]:
    yield Check("first")


def bad(project: Path) -> Iterator[Check]:
    yield Check("first")
    yield Check("second", ["the door is open"])


def broken(project: Path) -> Iterator[Check]:
    yield Check("first")
    raise ToolError("install Node.js")


@pytest.mark.parametrize(
    ("checks", "code", "said"),
    [
        (good, 0, "1 checks of the deployment template, 0 failed"),
        (bad, 1, "FAIL  second\n      the door is open\n2 checks of the deployment template, 1 failed"),
        (broken, 1, "The template could not be checked: install Node.js"),
        (lambda project: iter(()), 1, "0 checks"),
    ],
)
def test_the_table_and_the_exit_code(checks: object, code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(checks) == code  # type: ignore[arg-type]
    printed = capsys.readouterr()
    assert said in printed.out + printed.err
