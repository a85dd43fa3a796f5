"""A webhook starts cold in front of a waiting provider: what its import pulls in is counted, by name."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent


def modules_of(function: str) -> set[str]:
    """The top-level modules that importing a function adds to a fresh interpreter."""
    code = (
        "import json, sys; bare = {*sys.modules}; "
        f"import functions.{function}; print(json.dumps([*({{*sys.modules}} - bare)]))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(ran.stdout)}


@pytest.mark.parametrize("function", sorted(path.stem for path in (PROJECT / "functions").glob("webhook_*.py")))
def test_a_webhook_imports_the_standard_library_and_our_own_modules_only(function):
    foreign = modules_of(function) - sys.stdlib_module_names - {"functions", "shared"}
    assert not foreign, f"{function} imports {sorted(foreign)}: import it where it is used, or not at all (R7)"


@pytest.mark.parametrize("function", sorted(path.stem for path in (PROJECT / "functions").glob("*.py")))
def test_no_function_imports_the_error_monitor_or_the_aws_client_at_its_start(function):
    assert not modules_of(function) & {"sentry_sdk", "boto3", "botocore", "local"}


def test_who_sends_loads_cryptography_only_for_a_number_with_a_token_of_its_own():
    assert "cryptography" not in modules_of("queue_send")
