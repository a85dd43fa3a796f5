"""The audit names each defect of a bad suite, and finds nothing in this one."""

from pathlib import Path

import pytest

from scripts.audit_guards import PROJECT, audit, main

GOOD = """
from shared.guard import Request, Response, guard, jwt

GUARD = guard(jwt(), methods=("POST",), body_limit=16 * 1024, seconds=5.0, secrets=(), writes=(), store_down="refuse")


@GUARD
def handler(request: Request) -> Response:
    return Response()
"""
DEPLOYED = """
functions:
  app_thing:
    handler: functions/app_thing.handler
    environment: {X: !Ref Y}
    events:
      - httpApi: {method: POST, path: /app/thing}
      - httpApi: {method: OPTIONS, path: /app/thing}
"""


def suite(folder: Path, code: str = GOOD, deployed: str = DEPLOYED, name: str = "app_thing") -> Path:
    (folder / "functions").mkdir()
    (folder / "functions" / f"{name}.py").write_text(code)
    (folder / "serverless.yml").write_text(deployed)
    return folder


def messages(folder: Path) -> list[str]:
    return [f"{finding.place}: {finding.message}" for finding in audit(folder)[1]]


def test_this_project_passes(capsys):
    assert main([]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()[:-1]}
    assert listed == {path.stem for path in (PROJECT / "functions").glob("*.py")}


def test_a_good_suite_passes(tmp_path):
    assert messages(suite(tmp_path)) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("GUARD = guard(", "OTHER = guard(", "declare GUARD = guard(...) exactly once"),
        ("@GUARD\n", "", "handler must be decorated with @GUARD"),
        ("@GUARD\n", "@GUARD\n@other\n", "handler must be decorated with @GUARD and nothing else"),
        ("jwt()", "public(reason='no reason at all', rate=1)", "its prefix wants guard jwt, not public"),
        ("guard(jwt(),", "guard(kind(),", "its prefix wants guard jwt, not kind"),
        ("guard(jwt(),", "guard(KIND,", "literals only"),
        ('methods=("POST",)', "methods=METHODS", "literals only"),
        ("seconds=5.0", "seconds=float(5)", "literals only"),
        ("def handler", "def other", "define handler exactly once"),
        (
            "    return Response()",
            "    return Response()\n\n\nhandler = handler.__wrapped__",
            "handler is assigned again",
        ),
        ("    return Response()", "    return Response()\n\n\nGUARD = None", "declare GUARD = guard(...) exactly once"),
        ("GUARD = guard(", "if True:\n  GUARD = guard(", "declare GUARD = guard(...) exactly once"),
        ("from shared", "import os\nfrom shared", "a function may not import os"),
        ("from shared", "import httpx\nfrom shared", "a function may not import httpx"),
        (
            "from shared",
            "from functions.app_other import x\nfrom shared",
            "a function may not import functions.app_other",
        ),
        (
            "from shared",
            "from shared.guard.verify.jwt import x\nfrom shared",
            "a function may not import shared.guard.verify",
        ),
        (
            "from shared",
            "from shared.data.database import call\nfrom shared",
            "a function may not import shared.data.database",
        ),
        ("from shared", "from shared.guard import *\nfrom shared", "name what you import"),
    ],
)
def test_a_bad_function_is_named(tmp_path, old, new, expected):
    assert old in GOOD
    found = messages(suite(tmp_path, code=GOOD.replace(old, new, 1)))
    assert any(expected in message and message.startswith("functions/app_thing.py") for message in found), found


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("app_thing:", "app_other:", "functions/app_thing.py is not deployed"),
        ("app_thing:", "app_other:", "app_other has no file"),
        ("functions/app_thing.handler", "functions/app_other.handler", "handler must be functions/app_thing.handler"),
        (
            "path: /app/thing}\n      - httpApi: {method: OPTIONS",
            "path: /x}\n      - httpApi: {method: OPTIONS",
            "its path must be /app/thing",
        ),
        ("method: POST", "method: GET", "differ"),
        ("- httpApi: {method: POST, path: /app/thing}", "- sqs: {arn: x}", "its events must be httpApi"),
    ],
)
def test_a_deployment_that_disagrees_is_named(tmp_path, old, new, expected):
    assert old in DEPLOYED
    assert any(expected in message for message in messages(suite(tmp_path, deployed=DEPLOYED.replace(old, new, 1))))


def test_a_file_with_an_unknown_prefix_is_named(tmp_path):
    found = messages(suite(tmp_path, name="thing", deployed="functions: {}"))
    assert any("name the file <trigger>_<subject>.py" in message for message in found)


def test_an_audit_of_nothing_fails(tmp_path, capsys):
    (tmp_path / "functions").mkdir()
    (tmp_path / "serverless.yml").write_text("functions: {}")
    assert main([str(tmp_path)]) == 1
    assert "an audit of nothing is no audit" in capsys.readouterr().err


def test_what_cannot_be_read_is_no_pass(tmp_path):
    assert main([str(suite(tmp_path, code="def ("))]) == 2
    (tmp_path / "serverless.yml").unlink()
    assert main([str(tmp_path)]) == 2
