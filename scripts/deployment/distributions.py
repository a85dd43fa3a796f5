"""Third-party distributions for Lambda: installed from requirements.txt, and chosen by what a function imports."""

import hashlib
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from scripts.deployment.runtime import RUNTIME, PackageError, compile_tree, output

# Lambda's name of an architecture -> the name that wheels and markers use.
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
# What no running function reads. Metadata stays, since libraries ask for their own version.
LEFT_OUT_FOLDERS = {"__pycache__", "test", "tests"}
LEFT_OUT_NAMES = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "py.typed"}
LEFT_OUT_SUFFIXES = {".c", ".h", ".pxd", ".pyc", ".pyi", ".pyx"}


class Distributions:
    """The unpacked distributions of one architecture, in one folder as pip leaves them."""

    def __init__(self, folder: Path, machine: str) -> None:
        self.folder = folder
        self._found = {canonicalize_name(found.name): found for found in metadata.distributions(path=[str(folder)])}
        self._environment = {
            "implementation_name": "cpython",
            "implementation_version": f"{RUNTIME}.0",
            "os_name": "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{RUNTIME}.0",
            "python_version": RUNTIME,
            "sys_platform": "linux",
        }
        self._providers: dict[str, set[str]] = {}
        for name, found in self._found.items():
            for path in _shipped_files(found):
                self._providers.setdefault(path.parts[0].partition(".")[0], set()).add(name)

    def providers(self, package: str, chain: tuple[str, ...]) -> set[str]:
        """The distributions that bring an import name. Raises PackageError when none does."""
        if package not in self._providers:
            way = " -> ".join(chain)
            raise PackageError(f"{package} is imported ({way}), but nothing in requirements.txt brings it")
        return self._providers[package]

    def with_requirements(self, names: Iterable[str], declared: Iterable[Requirement]) -> list[str]:
        """The distributions and all that they need, sorted. `declared`: what the project asks for, with its extras."""
        extras = {canonicalize_name(wanted.name): wanted.extras for wanted in declared}
        needed: dict[str, set[str]] = {}
        waiting = [(name, frozenset(extras.get(canonicalize_name(name), ()))) for name in names]
        while waiting:
            name, wanted_extras = waiting.pop()
            if name in needed and wanted_extras <= needed[name]:
                continue
            needed.setdefault(name, set()).update(wanted_extras)
            for requirement in self._requirements(name, wanted_extras):
                required = canonicalize_name(requirement.name)
                if required not in self._found:
                    raise PackageError(f"{name} needs {required}, which requirements.txt does not pin: run `make lock`")
                waiting.append((required, frozenset(requirement.extras) | frozenset(extras.get(required, ()))))
        return sorted(needed)

    def files(self, name: str) -> Iterator[tuple[str, Path]]:
        """The files of a distribution that are shipped: name in the zip, path on disk."""
        for path in _shipped_files(self._found[canonicalize_name(name)]):
            yield path.as_posix(), self.folder / path

    def _requirements(self, name: str, extras: frozenset[str]) -> Iterator[Requirement]:
        for text in self._found[canonicalize_name(name)].requires or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({**self._environment, "extra": e}) for e in (extras or {""})):
                yield requirement


def install(requirements: Path, folder: Path, architecture: str, python: Path) -> Path:
    """The folder of the unpacked, compiled distributions; made anew when requirements.txt or Python has changed."""
    version = output(python, "import sys; print(sys.version)")
    # Format of the folder: raise it when this function changes what it leaves there.
    wanted = hashlib.sha256(b"1" + version.encode() + requirements.read_bytes()).hexdigest()
    site, stamp = folder / "site", folder / "stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return site
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    shutil.rmtree(site, ignore_errors=True)
    machine = MACHINES[architecture]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    options = ["--no-deps", "--no-compile", "--require-hashes", "--only-binary=:all:", "--implementation", "cp"]
    target = ["--python-version", RUNTIME, "--target", str(site), "--requirement", str(requirements)]
    platforms = [f"--platform={name}_{machine}" for name in ("manylinux2014", "manylinux_2_28")]
    done = subprocess.run([*command, *options, *platforms, *target], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"pip could not install requirements.txt for {architecture}:\n{done.stderr.strip()}")
    compile_tree(python, site)
    stamp.write_text(wanted)
    return site


def declared_requirements(project: Path) -> list[Requirement]:
    """What pyproject.toml asks for. Raises PackageError."""
    texts = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    try:
        return [Requirement(text) for text in texts]
    except InvalidRequirement as error:
        raise PackageError(f"pyproject.toml: {error}") from None


def _shipped_files(found: metadata.Distribution) -> Iterator[PurePosixPath]:
    for path in found.files or []:
        if (
            ".." not in path.parts
            and not LEFT_OUT_FOLDERS & set(path.parts[:-1])
            and path.name not in LEFT_OUT_NAMES
            and path.suffix not in LEFT_OUT_SUFFIXES
        ):
            yield PurePosixPath(path)
