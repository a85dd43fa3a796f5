"""The command: what it prints, in which forms, and how it exits. Its rules are tested in audit/test_rules.py."""

import json
import shutil
import subprocess
import sys
from datetime import date

import pytest

from scripts.audit.findings import RULES
from scripts.audit_guards import PROJECT, main
from tests.scripts.audit.good_suite import FILES, write

TODAY = date(2026, 11, 23)
BROKEN = FILES["functions/public_health.py"].replace("GUARD = guard(\n", "if True:\n    GUARD = guard(\n")
WAIVER = "guard-nested functions/public_health.py 2026-12-01 we will mend it\n"
TABLE = """\
function       guard                      called by               secrets  rate  seconds
app_thing      jwt(aal2, fresh_totp=300)  POST /app/thing               2    20     5/28
cron_sweep     cron                       rate(1 minute)                1     -     5/28
public_health  public                     GET /public/health            0    60      2/5
queue_reply    queue(reply)               sqs ReplyQueue                1     -      5/6
webhook_meta   hmac(meta)                 GET POST /webhook/meta        2   600      3/5
5 functions, 0 findings
"""
ALONE = """
import runpy, sys
runpy.run_path(sys.argv[1])["main"](sys.argv[2:])
print({name.partition(".")[0] for name in sys.modules} & {"shared", "functions", "httpx", "jwt", "cryptography"})
"""


def run(folder, *options):
    return main([str(folder), *options], today=lambda: TODAY)


def test_this_project_passes(capsys):
    assert main([]) == 0, capsys.readouterr().err
    said = capsys.readouterr().out.splitlines()
    assert {path.stem for path in (PROJECT / "functions").glob("*.py")} <= {line.partition(" ")[0] for line in said}
    assert all(len(line) <= 110 and line == line.rstrip() for line in said)


def test_a_table_for_people(tmp_path, capsys):
    assert run(write(tmp_path, FILES)) == 0
    said = capsys.readouterr()
    assert said.out == TABLE
    assert said.err == ""


def test_what_does_not_fit_a_column_goes_on_below(tmp_path, capsys):
    long = FILES["functions/app_thing.py"].replace("fresh_totp=300", "fresh_totp=300000000")
    run(write(tmp_path, FILES | {"functions/app_thing.py": long}))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("app_thing      jwt(aal2, ")
    assert lines[2].strip() == "fresh_totp=300000000)"


def test_findings_are_printed_with_their_place_and_rule(tmp_path, capsys):
    assert run(write(tmp_path, FILES | {"functions/public_health.py": BROKEN})) == 1
    said = capsys.readouterr()
    assert said.err == (
        "functions/public_health.py:6: move GUARD to the top level, under no condition, loop, function or class "
        "[guard-nested]\n"
    )
    assert said.out.splitlines()[-1] == "4 functions, 1 findings"


def test_the_name_of_a_file_cannot_speak_to_the_terminal(tmp_path, capsys):
    assert run(write(tmp_path, FILES | {"functions/a\x1b[2J b\n::error::.txt": "x"})) == 1
    assert capsys.readouterr().err.startswith("functions/a?[2J b?::error::.txt:1: ")
    run(tmp_path, "--sarif")
    assert '"functions/a%1B%5B2J%20b%0A%3A%3Aerror%3A%3A.txt"' in capsys.readouterr().out


def test_a_waived_finding_is_shown_and_is_no_failure(tmp_path, capsys):
    files = FILES | {"functions/public_health.py": BROKEN, "scripts/audit_waivers.txt": WAIVER}
    assert run(write(tmp_path, files)) == 0
    said = capsys.readouterr()
    assert said.err == "functions/public_health.py:6: waived until 2026-12-01, we will mend it [guard-nested]\n"
    assert said.out.splitlines()[-1] == "4 functions, 0 findings, 1 waived"


def test_an_audit_of_nothing_fails(tmp_path, capsys):
    files = {name: text for name, text in FILES.items() if not name.startswith(("functions/", "tests/"))}
    assert run(write(tmp_path, files | {"serverless.yml": "functions: {}"})) == 1
    assert "an audit of nothing is no audit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "text"), [("serverless.yml", "a: [\n"), ("serverless.yml", "- a\n"), ("shared/settings.py", "def (\n")]
)
def test_what_cannot_be_read_is_no_pass(tmp_path, capsys, file, text):
    assert run(write(tmp_path, FILES | {file: text})) == 2
    assert capsys.readouterr().err.startswith("The audit could not be made: ")


def test_json_for_programs(tmp_path, capsys):
    files = FILES | {
        "functions/public_health.py": BROKEN,
        "functions/notes.txt": "x",
        "scripts/audit_waivers.txt": WAIVER,
    }
    assert run(write(tmp_path, files), "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert said["version"] == 1
    assert said["counts"] == {"functions": 4, "findings": 1, "waived": 1}
    assert said["findings"] == [
        {
            "file": "functions/notes.txt",
            "line": 1,
            "rule": "foreign-file",
            "message": "move this file out of functions/: it is flat and holds Python files only",
        }
    ]
    assert said["waived"][0]["reason"] == "we will mend it"
    assert said["waived"][0]["expires"] == "2026-12-01"
    assert said["functions"][1] == {
        "name": "cron_sweep",
        "file": "functions/cron_sweep.py",
        "line": 5,
        "kind": "cron",
        "options": {},
        "arguments": {
            "seconds": 5.0,
            "secrets": ["CRON_SECRET"],
            "writes": [],
            "store_down": "refuse",
        },
        "built": True,
        "events": ["rate(1 minute)"],
        "timeout": 28,
    }


def test_sarif_for_code_scanners(tmp_path, capsys):
    """What SARIF 2.1.0 requires of a log (3.13), a run (3.14), a tool (3.18, 3.19), rules (3.49) and results (3.27)."""
    files = FILES | {
        "functions/public_health.py": BROKEN,
        "functions/notes.txt": "x",
        "scripts/audit_waivers.txt": WAIVER,
    }
    assert run(write(tmp_path, files), "--sarif") == 1
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    [scan] = log["runs"]
    driver = scan["tool"]["driver"]
    assert driver["name"] == "audit_guards"
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)
    assert all(rule["help"]["text"] and rule["shortDescription"]["text"] for rule in driver["rules"])
    assert [result["ruleId"] for result in scan["results"]] == ["foreign-file", "guard-nested"]
    for result in scan["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] == "error"
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert not place["artifactLocation"]["uri"].startswith("/")
        assert place["artifactLocation"]["uriBaseId"] in scan["originalUriBaseIds"]
        assert place["region"]["startLine"] >= 1
    assert "suppressions" not in scan["results"][0]
    assert scan["results"][1]["suppressions"] == [{"kind": "external", "justification": "we will mend it"}]


@pytest.mark.parametrize("options", [["--json", "--sarif"], ["--sarif", "--probe", "http://x"], ["--colour"]])
def test_arguments_that_make_no_sense(options, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(options)
    assert stopped.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_the_help_says_what_the_exit_codes_mean(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    assert "Exit codes: 0 all is well" in capsys.readouterr().out


def test_it_runs_alone_from_anywhere_and_imports_nothing_that_it_audits(tmp_path):
    """Also from a folder with a space, without the project's own packages in sight."""
    tool, project = tmp_path / "a tool" / "scripts", write(tmp_path / "a project", FILES)
    shutil.copytree(PROJECT / "scripts" / "audit", tool / "audit", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "audit_guards.py"):
        shutil.copy(PROJECT / "scripts" / name, tool / name)
    command = [sys.executable, "-c", ALONE, str(tool / "audit_guards.py"), str(project)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, env={"PATH": ""})
    assert ran.stdout == f"{TABLE}set()\n"
