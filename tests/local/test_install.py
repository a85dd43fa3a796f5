"""The installation runs only when something changed, and explains what went wrong."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from local import install

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Something that looks like a virtual environment whose requirements are installed."""
    folder = tmp_path / "with a space" / ".venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    requirements = tmp_path / "requirements-dev.txt"
    requirements.write_text("a==1 --hash=sha256:0\n")
    (folder / "requirements.sha256").write_text(hashlib.sha256(requirements.read_bytes()).hexdigest())
    return folder


def test_nothing_is_done_while_the_requirements_are_the_same(environment: Path, tmp_path: Path) -> None:
    requirements = tmp_path / "requirements-dev.txt"
    assert install.is_current(environment, requirements)
    requirements.touch()
    assert install.is_current(environment, requirements)
    requirements.write_text("a==2 --hash=sha256:0\n")
    assert not install.is_current(environment, requirements)


def test_an_environment_whose_python_has_gone_is_not_current(environment: Path, tmp_path: Path) -> None:
    (environment / "bin" / "python").unlink()
    assert not install.is_current(environment, tmp_path / "requirements-dev.txt")


@pytest.mark.parametrize(
    ("output", "explanation"),
    [
        ("error: command '/usr/bin/gcc' failed: No such file or directory", "C compiler"),
        ("ERROR: Failed building wheel for x", "C compiler"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "not the one that"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("Failed to establish a new connection", "needs the network"),
        ("something new", "last lines are above"),
    ],
)
def test_a_failure_is_explained(output: str, explanation: str, capsys: pytest.CaptureFixture[str]) -> None:
    install._explain(output)
    assert explanation in capsys.readouterr().err


def test_every_command_of_the_makefile_is_explained() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    [phony] = [line.split()[1:] for line in makefile.splitlines() if line.startswith(".PHONY:")]
    listed = subprocess.run(["make", "-C", PROJECT, "help"], capture_output=True, text=True, check=True, cwd="/").stdout
    explained = {line.split()[1] for line in listed.splitlines() if line.startswith("make ")}
    assert explained == set(phony) - {"venv"}
