"""Python of Lambda's version on this machine: what compiles, and what tries the zips."""

import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

RUNTIME = "3.13"
# Where Lambda unpacks a zip; tracebacks name files below it.
TASK_ROOT = "/var/task"


class PackageError(Exception):
    """Packaging cannot go on; the text is one sentence for a person."""


def find_python() -> Path:
    """An interpreter of the runtime's version: $PYTHON313, python3.13 on the PATH, or pyenv's.

    Raises PackageError when there is none.
    """
    if named := os.environ.get("PYTHON313"):
        if _is_runtime(Path(named)):
            return Path(named)
        raise PackageError(f"PYTHON313 is {named}, which does not run as Python {RUNTIME}")
    on_path = shutil.which(f"python{RUNTIME}")
    candidates = [Path(sys.executable), *([Path(on_path)] if on_path else []), *_pyenv_pythons()]
    for candidate in candidates:
        if _is_runtime(candidate):
            return candidate
    raise PackageError(
        f"no Python {RUNTIME} found to compile for Lambda's: install one (`pyenv install {RUNTIME}`, or your system's "
        f"package), or name it in PYTHON313"
    )


def compile_tree(python: Path, folder: Path) -> None:
    """Put bytecode next to every source, with hashes that nobody checks at run time: times do not survive a zip."""
    command = [str(python), "-m", "compileall", "-q", "-j", "1", "--invalidation-mode", "unchecked-hash"]
    # A fixed seed, so that the bytecode is the same each time: sets in it are ordered by hash.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [*command, "-s", str(folder), "-p", TASK_ROOT, str(folder)],
        env=environment | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PackageError(f"compileall failed: {(done.stdout + done.stderr).strip()}")


def bytecode_name(source: PurePosixPath) -> str:
    """The name of a source's bytecode, beside it in __pycache__."""
    return str(source.parent / "__pycache__" / f"{source.stem}.cpython-{RUNTIME.replace('.', '')}.pyc")


def output(python: Path, code: str) -> str:
    """What a line of code prints. Raises PackageError."""
    done = subprocess.run([str(python), "-I", "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"{python} does not run: {done.stderr.strip()}")
    return done.stdout.strip()


def _pyenv_pythons() -> list[Path]:
    """Return pyenv's interpreters of the runtime's version; none if this user cannot read pyenv's folder."""
    try:
        root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
        return sorted((root / "versions").glob(f"{RUNTIME}.*/bin/python"))
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        return []


def _is_runtime(python: Path) -> bool:
    try:
        return output(python, "import sys; print('%d.%d' % sys.version_info[:2])") == RUNTIME
    except (OSError, PackageError):  # pyenv's shim is there but fails when that version is not switched on
        return False
