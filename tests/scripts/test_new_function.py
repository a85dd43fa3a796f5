"""One command makes a function that the audit passes: tried on a copy of this project."""

import itertools
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from local.plan import ACCOUNT, PROJECT, REGION
from local.template import load_template
from scripts.audit.declared import KIND_OF
from scripts.audit.suite import audit
from scripts.deployment.closure import Sources, read_guard
from scripts.new_function import main
from scripts.scaffold.deployment import with_function
from scripts.scaffold.name import PREFIXES, SCHEMES, BadName, read_name
from scripts.scaffold.witnesses import NOT_BUILT
from shared.guard.schemes import SCHEMES as GUARD_SCHEMES

COPIED = ("functions", "shared", "local", "scripts", "supabase", "tests", "serverless.yml", "pyproject.toml")
NAMES = (
    "webhook_paddle_adjustments",
    "webhook_mercadopago_claims",
    "queue_export",
    "cron_tidy",
    "ai_translate",
    "app_invoice",
    "public_terms",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy to write in."""
    return copied(tmp_path / "a copy")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy in which nothing is ever written."""
    return copied(tmp_path_factory.mktemp("untouched") / "a copy")


def copied(copy: Path) -> Path:
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            copy.mkdir(exist_ok=True)
            shutil.copy(source, copy / name)
    return copy


def contents(project: Path) -> dict[str, bytes]:
    return {str(path.relative_to(project)): path.read_bytes() for path in project.rglob("*") if path.is_file()}


def findings(project: Path) -> list[str]:
    return [str(finding) for finding in audit(project, date.today()).findings]


@pytest.mark.parametrize("name", NAMES)
def test_the_audit_passes_without_a_manual_step(project, capsys, name):
    before = findings(project)
    assert main([name], project) == 0
    assert findings(project) == before
    assert name in {function.name for function in audit(project, date.today()).functions}
    said = capsys.readouterr().out
    assert f"wrote functions/{name}.py" in said
    assert "make audit" in said


def test_each_new_function_is_complete(project):
    for name in NAMES:
        assert main([name], project) == 0
    for stage in ("dev", "prod"):
        template = load_template(project / "serverless.yml", stage, REGION, ACCOUNT)
        assert template.functions.keys() >= {*NAMES}
    assert {source.function: source.queue for source in template.event_sources}["queue_export"] == "ExportQueue"
    [schedule] = [schedule for schedule in template.schedules if schedule.function == "cron_tidy"]
    assert not schedule.enabled
    sources = Sources(project)
    for name in NAMES:
        assert sources.closure(name).guard == read_guard(project / "functions" / f"{name}.py")
    listed = (project / "tests" / "output" / "not_built.txt").read_text().splitlines()
    assert listed[1:] == sorted(listed[1:])
    assert {*NAMES} <= {*listed}
    told = (project / "tests" / "output" / "isolation_http.txt").read_text().splitlines()
    of_functions = [line.split()[0] for line in told if line.startswith(("ai_", "app_"))]
    assert of_functions == sorted(of_functions)
    assert {"ai_translate", "app_invoice"} <= {*of_functions}


def test_what_it_claims_of_an_unbuilt_function_is_what_the_committed_table_says_of_the_others():
    table = (PROJECT / "tests" / "output" / "isolation_http.txt").read_text().splitlines()
    unbuilt = [line for line in table if line.partition(" ")[2].split()[:1] == ["anywhere"]]
    assert unbuilt == [NOT_BUILT.format(name=line.split()[0]) for line in unbuilt]


def test_the_tests_that_were_written_pass(project):
    for name in NAMES:
        assert main([name], project) == 0
    files = [f"tests/functions/test_{name}.py" for name in NAMES]
    isolation = "tests/isolation_http/test_isolation_http.py"
    others = [f"{isolation}::test_every_function_that_a_person_calls_has_a_row", "tests/test_not_built.py"]
    others.append(f"{isolation}::test_a_row_says_whether_its_function_is_built_and_names_all_its_ids")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, *others]
    # Without what the world of an earlier test has set: to a world that begins, an address is that of a hosted project.
    plain = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR")}
    ran = subprocess.run(command, cwd=project, env=plain, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:]
    assert f"{len(NAMES) + 6} passed" in ran.stdout


def test_comments_and_everything_else_in_the_deployment_stay_as_they_are():
    text = (PROJECT / "serverless.yml").read_text()
    for name in NAMES:
        changed = with_function(text, read_name(name)).splitlines()
        rest = iter(changed)
        assert all(line in rest for line in text.splitlines()), name
        assert not any(first == second == "" for first, second in itertools.pairwise(changed))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("invoice", "begins with no trigger"),
        ("application_invoice", "begins with no trigger"),
        ("internal_parse", "write it by hand"),
        ("app", "lowercase words"),
        ("app_", "lowercase words"),
        ("app_Invoice", "lowercase words"),
        ("app_in-voice", "lowercase words"),
        ("app__invoice", "lowercase words"),
        ("app_../../x", "lowercase words"),
        ("app_" + "a" * 40, "longer than 40"),
        ("webhook_stripe", "begins with its signature scheme"),
        ("webhook_metal", "begins with its signature scheme"),
        ("app_upload", "exists already"),
        ("", "begins with no trigger"),
    ],
)
def test_a_bad_name_gets_one_sentence_and_writes_nothing(untouched, capsys, name, said):
    before = contents(untouched)
    assert main([name], untouched) == 1
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1
    assert contents(untouched) == before


def test_a_function_that_only_the_deployment_knows_is_not_written_twice(project, capsys):
    (project / "functions" / "app_upload.py").unlink()
    assert main(["app_upload"], project) == 1
    assert "serverless.yml has a function app_upload already" in capsys.readouterr().err


def test_it_wants_one_name(untouched, capsys):
    assert main([], untouched) == 1
    assert main(["app_a", "app_b"], untouched) == 1
    assert "Name one function" in capsys.readouterr().err


def test_a_project_of_another_shape_is_left_alone(project, capsys):
    rows = project / "tests" / "refusals" / "rows.py"
    rows.write_text("")
    before = contents(project)
    assert main(["app_invoice"], project) == 1
    assert "has no ROWS" in capsys.readouterr().err
    assert contents(project) == before


def test_it_knows_the_triggers_of_the_audit_and_the_schemes_of_the_guard():
    # One that another function invokes changes its caller too, and is written by hand.
    assert set(PREFIXES) | {"internal"} == KIND_OF.keys()
    assert SCHEMES.keys() == GUARD_SCHEMES.keys()


def test_a_scheme_is_the_longest_that_the_subject_begins_with():
    assert read_name("webhook_meta_signed_request").scheme == "meta_signed_request"
    assert read_name("webhook_meta_flows").scheme == "meta"
    with pytest.raises(BadName):
        read_name("webhook_")
