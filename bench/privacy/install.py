"""The peers' libraries in an environment of their own, from bench/privacy/requirements.txt, pinned and hashed."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".venv"
REQUIREMENTS = HERE / "requirements.txt"


class InstallError(Exception):
    """The peers' libraries are not there."""


def prepare() -> Path:
    """The Python that has them, made and filled when it is not there yet. Raises InstallError."""
    mark = ENVIRONMENT / "installed"
    wanted = f"{sys.version} {hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()}"
    python = ENVIRONMENT / "bin" / "python"
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        print("bench: installing Presidio, detect-secrets and sentry-sdk (some 55 packages, once)", file=sys.stderr)
        _run([sys.executable, "-m", "venv", str(ENVIRONMENT)])
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        _run([*pip, "--require-hashes", "--only-binary=:all:", "-r", str(REQUIREMENTS)])
        mark.write_text(wanted)
    return python


def _run(command: list[str]) -> None:
    # What pip says is progress, not result.
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        raise InstallError(f"{REQUIREMENTS.name} could not be installed (see above)")
