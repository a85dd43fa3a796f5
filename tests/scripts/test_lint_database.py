"""Linters that are not ours, asked about the migrations; and what makes the answer count."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from scripts import lint_database as script
from scripts.check_template import ToolError
from scripts.lint_database import (
    EXCEPTIONS,
    OUTPUT,
    Entry,
    Finding,
    Linter,
    Planted,
    judge,
    lint,
    main,
    pgrls,
    read_exceptions,
    read_planted,
    splinter,
)

# What splinter does not look for while nothing says which schemas the Data API serves.
NEEDS_THE_SETTING = {
    "authUsersExposed",
    "foreignTableInApi",
    "materializedViewInApi",
    "rlsDisabledInPublic",
    "securityDefinerView",
    "sensitiveColumnsExposed",
}


# `make test` needs Python and make only. CI runs `make lint-database` beside it, which fails without Node.
@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed, and splinter comes with its packages")
def test_the_migrations_pass_splinter_which_finds_what_is_planted(tmp_path):
    real, said = splinter(), []

    def ask(address: str, left_out: Sequence[str]) -> list[Finding]:
        said.append(real.ask(address, left_out))
        if len(said) == 2:
            with psycopg.connect(address) as connection:
                connection.execute("alter database postgres reset pgrst.db_schemas")
            said.append(real.ask(address, left_out))
        return said[1] if len(said) == 3 else said[0]

    exceptions, planted = read_exceptions(), read_planted()
    [report] = lint([real._replace(ask=ask)], exceptions, planted)
    assert list(report.problems()) == [], (
        "You are here because a migration has what Supabase's linter warns of, or it was not really asked. "
        f"Mend it in a new migration; what is meant to be so goes into {EXCEPTIONS.name} with its reason."
    )
    actual = tmp_path / OUTPUT.name
    actual.write_text(report.table())
    assert report.table() == OUTPUT.read_text(), (
        f"You are here because {OUTPUT.name} is not what was asked and found ({actual}): run `make lint-database`."
    )
    without_setting = judge(real, said[0], said[2], exceptions, planted)
    assert {defect.rule for defect in without_setting.unseen} == NEEDS_THE_SETTING


LINTER = Linter("splinter", ["first", "second", "unused"], lambda address, left_out: [])
FINDING = Finding("first", "public.orders.reads", "It is open. And so on.")
UNUSED = Entry("splinter", "unused", "off", "the database is new")


def test_a_finding_without_an_exception_names_the_file_to_edit():
    report = judge(LINTER, [FINDING], [], [UNUSED], [])
    assert list(report.problems()) == [
        "splinter first public.orders.reads: It is open. "
        "Mend it in a migration, or edit scripts/lint_database_exceptions.txt."
    ]


@pytest.mark.parametrize("pattern", ["public.orders.reads", "public.*.reads", "*"])
def test_an_exception_covers_its_rule_and_objects(pattern):
    report = judge(LINTER, [FINDING], [], [Entry("splinter", "first", pattern, "it is a price list")], [])
    assert list(report.problems()) == []
    assert (report.found["first"], report.excepted["first"]) == (1, 1)


@pytest.mark.parametrize(
    "entry",
    [
        Entry("splinter", "second", "public.orders.reads", "another rule"),
        Entry("splinter", "first", "public.orders", "another object"),
        Entry("splinter", "unheard", "off", "no such rule"),
    ],
)
def test_an_exception_that_nothing_needs_fails(entry):
    report = judge(LINTER, [FINDING], [], [entry], [])
    assert (report.open, report.stale) == ([FINDING], [entry])
    assert any("take it out of scripts/lint_database_exceptions.txt" in problem for problem in report.problems())


def test_exceptions_of_a_linter_that_was_not_asked_are_left_alone():
    assert judge(LINTER, [], [], [Entry("pgrls", "SEC005", "*", "of another linter")], []).stale == []


def test_a_planted_defect_that_is_not_found_fails():
    planted = [Planted("splinter", "first", "public.a"), Planted("splinter", "first", "public.b")]
    report = judge(LINTER, [], [Finding("first", "public.a", "")], [], [*planted, Planted("pgrls", "SEC001", "x")])
    assert report.unseen == planted[1:]
    assert any("planted and not found" in problem for problem in report.problems())
    assert "    2     1" in next(line for line in report.table().splitlines() if " first " in line)


def test_a_rule_that_is_not_asked_is_shown_as_such():
    [line] = [line for line in judge(LINTER, [], [], [UNUSED], []).table().splitlines() if " unused " in line]
    assert line.endswith("not asked")


@pytest.mark.parametrize("line", ["splinter first", "splinter first public.a", "splinter first public.a because"])
def test_an_exception_without_a_reason_is_refused(tmp_path: Path, line):
    path = tmp_path / "exceptions.txt"
    path.write_text(f"# a comment\n\n{line}\n")
    with pytest.raises(ToolError, match=r"exceptions\.txt:3: .* a reason"):
        read_exceptions(path)


def test_every_linter_has_planted_defects():
    assert {planted.linter for planted in read_planted()} == {"splinter", "pgrls"}


def test_a_linter_that_cannot_be_asked_is_a_failure(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(script, "install_node_packages", _no_node)
    assert main([]) == 2
    assert "could not be linted: node and npm are needed" in capsys.readouterr().err


def _no_node(project: Path) -> None:
    raise ToolError("node and npm are needed")


def test_a_machine_that_has_no_build_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(script, "PROJECT", tmp_path)
    monkeypatch.setattr(script, "install_node_packages", lambda project: None)
    with pytest.raises(ToolError, match="Linux on x86-64"):
        splinter()


def _program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_another_pgrls_or_none_is_a_failure(tmp_path: Path):
    with pytest.raises(ToolError, match="cannot be run"):
        pgrls(tmp_path / "pgrls")
    with pytest.raises(ToolError, match=r"is not pgrls 0\.57\.1"):
        pgrls(_program(tmp_path / "other", "echo pgrls, version 0.58.0"))


def test_pgrls_is_asked_about_our_schemas_in_a_folder_of_its_own(tmp_path: Path):
    answer = {"violations": [{"rule_id": "SEC001", "location": "$DATABASE_URL", "message": "$*"}]}
    tell_version = '[ "$1" = --version ] && echo pgrls, version 0.57.1 && exit'
    program = _program(tmp_path / "pgrls", f"{tell_version}\ncat <<END\n{json.dumps(answer)}\nEND")
    [finding] = pgrls(program).ask("address", ["SEC009"])
    assert finding == Finding("SEC001", "address", "lint --format json --schemas public,private --exclude-rule=SEC009")


def test_a_linter_that_does_not_answer_is_a_failure_with_its_words(tmp_path: Path):
    program = _program(tmp_path / "pgrls", '[ "$1" = --version ] && echo 0.57.1 || echo the database is away >&2')
    with pytest.raises(ToolError, match="did not answer in JSON: the database is away"):
        pgrls(program).ask("address", [])
