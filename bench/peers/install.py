"""The subjects on disk, as they would be deployed: sources with unchecked-hash bytecode of Lambda's Python.

The peers' libraries go into a virtual environment of their own (bench/.venv) from bench/requirements.txt; what the
bench imports from is a copy of it, once with bytecode and once without.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from scripts.deployment.closure import OWN_FOLDERS
from scripts.deployment.runtime import compile_tree, find_python

BENCH = Path(__file__).resolve().parent.parent
PROJECT = BENCH.parent
ENVIRONMENT = BENCH / ".venv"
REQUIREMENTS = BENCH / "requirements.txt"


class InstallError(Exception):
    """The peers' libraries are not there; nothing can be compared."""


class Folders(NamedTuple):
    """What goes on a subject's path: our code, the bench's apps, the peers' libraries. `python` runs them all."""

    python: Path
    ours: Path
    apps: Path
    libraries: Path


def prepare(*, bytecode: bool = True) -> Folders:
    """Install what is missing and copy what is measured. Raises InstallError, or PackageError without a Python."""
    python = find_python()
    libraries = _libraries(python)
    scratch = ENVIRONMENT / "measured" / ("with-bytecode" if bytecode else "without-bytecode")
    _copy_own(scratch)
    if bytecode and not any((scratch / "libraries").glob("*/__pycache__")):
        # Somebody swept the caches of the whole tree.
        shutil.rmtree(scratch / "libraries", ignore_errors=True)
    if not (scratch / "libraries").exists():
        _say(f"copying the peers' libraries {'with' if bytecode else 'without'} bytecode")
        _copy(libraries, scratch / "unfinished")
        if bytecode:
            compile_tree(python, scratch / "unfinished")
        (scratch / "unfinished").rename(scratch / "libraries")
    if bytecode:
        _compile_own(python, scratch)
    return Folders(python, scratch / "ours", scratch / "apps", scratch / "libraries")


def prepare_here() -> Folders:
    """The same of ours and the floor alone, for the Python that runs this bench."""
    scratch = ENVIRONMENT / "measured" / "this-python"
    _copy_own(scratch)
    _compile_own(Path(sys.executable), scratch)
    return Folders(Path(sys.executable), scratch / "ours", scratch / "apps", scratch / "none")


def _copy_own(scratch: Path) -> None:
    for name in OWN_FOLDERS:
        _copy(PROJECT / name, scratch / "ours" / name)
    _copy(BENCH / "peers", scratch / "apps")


def _compile_own(python: Path, scratch: Path) -> None:
    compile_tree(python, scratch / "ours")
    compile_tree(python, scratch / "apps")


def _libraries(python: Path) -> Path:
    mark = ENVIRONMENT / "installed"
    wanted = f"{python} {hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()}"
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        _say(f"making {ENVIRONMENT.relative_to(PROJECT)} and installing the peers' libraries (some 45, once)")
        _run([str(python), "-m", "venv", str(ENVIRONMENT)])
        pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install"]
        _run([*pip, "--progress-bar", "on", "--require-hashes", "--only-binary=:all:", "-r", str(REQUIREMENTS)])
        mark.write_text(wanted)
    (found,) = ENVIRONMENT.glob("lib/python*/site-packages")
    return found


def _copy(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "pip", "pip-*"))


def _run(command: list[str]) -> None:
    # What pip says is progress, not result.
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        raise InstallError(
            f"the peers' libraries could not be installed from {REQUIREMENTS.relative_to(PROJECT)} (see above): "
            "without them there is nothing to compare with"
        )


def _say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)
