"""Make or refresh .venv from requirements-dev.txt, every package checked by its hash. Standard library only.

Run by `make` with any Python from 3.11 on. Nothing is done while the requirements are those of the last time.
"""

import hashlib
import re
import subprocess
import sys
import venv
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = PROJECT / ".venv"
REQUIREMENTS = PROJECT / "requirements-dev.txt"
OLDEST = (3, 11)

EXPLANATIONS = (
    (r"command '.*(?:gcc|cc|clang)' failed|unable to execute '.*cc'|error: Microsoft Visual C|Failed building wheel",
     "A package has no ready-made build for Python {version} on this machine, and none could be compiled. "
     "Use Python 3.11, 3.12 or 3.13, or install a C compiler and Python's headers (apt install gcc python3-dev)."),
    (r"THESE PACKAGES DO NOT MATCH THE HASHES",
     "A downloaded package is not the one that requirements-dev.txt names. Do not go on; look at its hash above."),
    (r"No space left on device", "The disk is full: the packages need about 700 MB."),
    (r"Temporary failure in name resolution|Failed to establish a new connection|Connection refused|ProxyError",
     "The packages could not be downloaded. Only the first installation needs the network."),
)  # fmt: skip


def main() -> int:
    """Bring .venv up to date. Returns the exit code; every failure is explained in a sentence."""
    if sys.version_info < OLDEST:
        print(f"Portero needs Python 3.11 or newer; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 1
    try:
        return 0 if is_current() else install()
    except PermissionError as error:
        print(
            f"{error.filename} cannot be written. Was it made from a root shell? "
            f'Give it back (sudo chown -R "$USER" "{ENVIRONMENT}") or remove it.',
            file=sys.stderr,
        )
        return 1


def is_current(environment: Path = ENVIRONMENT, requirements: Path = REQUIREMENTS) -> bool:
    """Whether the environment works and holds exactly what the requirements ask for."""
    stamp = environment / "requirements.sha256"
    if not stamp.is_file() or stamp.read_text() != _digest(requirements):
        return False
    return _works(environment)


def install(environment: Path = ENVIRONMENT, requirements: Path = REQUIREMENTS) -> int:
    """Create the environment when it is missing or broken, and install the requirements into it."""
    if not _works(environment):
        print(f"Creating .venv with Python {sys.version.split()[0]}.", flush=True)
        try:
            venv.create(environment, clear=True, with_pip=True)
        except subprocess.CalledProcessError:
            print("Python's venv module is incomplete. On Debian or Ubuntu: apt install python3-venv", file=sys.stderr)
            return 1
    text = requirements.read_text()
    total = len(re.findall(r"^[\w.\[\]-]+==", text, re.MULTILINE))
    print(f"Installing {total} packages into .venv, each checked by its hash.", flush=True)
    output = _pip_install(environment, requirements, total)
    if output is not None:
        _explain(output)
        return 1
    (environment / "requirements.sha256").write_text(_digest(requirements))
    return 0


def _pip_install(environment: Path, requirements: Path, total: int) -> str | None:
    """Run pip and show its progress in one line. Returns its whole output when it failed."""
    command = [_python(environment), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    # The list is complete, so pip need not resolve: asked to, it would want `coverage[toml]` newer than our `coverage`.
    command += [
        "--root-user-action=ignore",
        "--progress-bar=off",
        "--require-hashes",
        "--no-deps",
        "-r",
        str(requirements),
    ]
    pip = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    assert pip.stdout is not None
    lines, done = [], 0
    for line in pip.stdout:
        lines.append(line)
        if found := re.match(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)", line):
            done += 1
            _show(f"  {done}/{total} {found[1]}", is_last=False)
        elif line.startswith("Installing collected packages"):
            _show("  unpacking", is_last=False)
    failed = pip.wait() != 0
    _show("  failed" if failed else "  done", is_last=True)
    return "".join(lines) if failed else None


def _show(text: str, *, is_last: bool) -> None:
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end="\n" if is_last else "", flush=True)
    elif is_last:
        print(text, flush=True)


def _explain(output: str) -> None:
    print(output[-3000:], file=sys.stderr)
    version = ".".join(map(str, sys.version_info[:2]))
    for pattern, explanation in EXPLANATIONS:
        if re.search(pattern, output):
            print(explanation.format(version=version), file=sys.stderr)
            return
    print("pip could not install the packages; its last lines are above.", file=sys.stderr)


def _works(environment: Path) -> bool:
    """Whether the environment has a Python that starts (it breaks when the system's Python goes) and is new enough."""
    check = f"import sys, importlib.util; sys.exit(sys.version_info < {OLDEST} or not importlib.util.find_spec('pip'))"
    try:
        return subprocess.run([_python(environment), "-c", check], capture_output=True).returncode == 0
    except OSError:
        return False


def _python(environment: Path) -> str:
    return str(environment / "bin" / "python")


def _digest(requirements: Path) -> str:
    return hashlib.sha256(requirements.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
