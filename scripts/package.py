"""Package: one zip a function, with only what that function imports and with bytecode of the runtime's Python.

Distributions are installed once from requirements.txt (pinned, hashed, wheels only) for the target architecture; no
container is needed. The zips are the same bytes for the same sources. Each is read back and checked; those of this
machine's own architecture are also unpacked and imported by a bare interpreter.

    python scripts/package.py [--architecture arm64 | x86_64]

Writes .package/<function>.zip for arm64, which is deployed, and .package/x86_64/<function>.zip. Exit code 1 and one
sentence when something is missing or wrong.
"""

import argparse
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.deployment.closure import OWN_FOLDERS, Closure, ClosureError, Sources
from scripts.deployment.distributions import MACHINES, Distributions, declared_requirements, install
from scripts.deployment.runtime import RUNTIME, PackageError, bytecode_name, compile_tree, find_python, output

PROJECT = Path(__file__).resolve().parent.parent
DEPLOYED = "arm64"
DATA_SUFFIXES = (".json", ".lua", ".sql")
# Lambda's limits: an upload, and what it unpacks to.
MAXIMUM_ZIP = 50 * 1024 * 1024
MAXIMUM_UNPACKED = 250 * 1024 * 1024
# The import of a module that only an error or a certain call needs is tried as well.
IMPORT_CHECK = """
import importlib, sys
folder, module, *later = sys.argv[1:]
sys.path.insert(0, folder)
loaded = importlib.import_module(module.replace("/", "."))
assert callable(loaded.handler), "handler cannot be called"
own = ("functions", "shared")
files = {name: getattr(found, "__file__", None) or "" for name, found in sys.modules.items()}
heavy = {name.partition(".")[0] for name, file in files.items() if file.startswith(folder)} - set(own)
for name in later:
    importlib.import_module(name)
print(" ".join(sorted(heavy)))
"""


@dataclass(frozen=True)
class Packaged:
    """One zip: `distributions` by name, sizes in bytes."""

    function: str
    distributions: list[str]
    zip_size: int
    unpacked_size: int


def package(sources: Sources, architecture: str) -> list[Packaged]:
    """Build the zips of every function of a project. Raises PackageError or ClosureError."""
    python = find_python()
    project = sources.project
    closures = [sources.closure(function) for function in sources.functions()]
    declared = declared_requirements(project)
    folder = project / ".package"
    target = folder if architecture == DEPLOYED else folder / architecture
    site = install(project / "requirements.txt", folder / architecture / "distributions", architecture, python)
    distributions = Distributions(site, MACHINES[architecture])
    with tempfile.TemporaryDirectory(prefix="own-", dir=folder) as own:
        _copy_own(project, Path(own))
        compile_tree(python, Path(own))
        packaged = [
            _package_function(closure, sources, Path(own), distributions, declared, target) for closure in closures
        ]
    magic = output(python, "import importlib.util; print(importlib.util.MAGIC_NUMBER.hex())")
    for closure in closures:
        check_bytecode(target / f"{closure.function}.zip", bytes.fromhex(magic))
        if is_native(architecture):
            check_import(target / f"{closure.function}.zip", closure, python)
    return packaged


def is_native(architecture: str) -> bool:
    """Whether zips of this architecture can be imported on this machine."""
    machine = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    return sys.platform == "linux" and machine == MACHINES[architecture]


def write_zip(path: Path, entries: dict[str, Path]) -> tuple[int, int]:
    """Write files under their names, sorted, without times or owners. Answers the zip's and the unpacked size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unpacked = 0
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(entries):
            content = entries[name].read_bytes()
            unpacked += len(content)
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    unfinished.replace(path)
    return path.stat().st_size, unpacked


def check_bytecode(path: Path, magic: bytes) -> None:
    """Raises PackageError unless each source in a zip has unchecked-hash bytecode of the runtime's version."""
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        for source in sorted(name for name in names if name.endswith(".py")):
            bytecode = bytecode_name(PurePosixPath(source))
            if bytecode not in names:
                raise PackageError(f"{path.name}: {source} has no bytecode")
            with archive.open(bytecode) as opened:
                header = opened.read(8)
            if header[:4] != magic:
                raise PackageError(f"{path.name}: {bytecode} was compiled by another Python than {RUNTIME}")
            # PEP 552: bit 0 says that a hash stands in place of the time, bit 1 that it is checked at each import.
            if header[4:] != b"\x01\x00\x00\x00":
                raise PackageError(f"{path.name}: {bytecode} is not unchecked-hash bytecode, so Lambda would reject it")


def check_import(path: Path, closure: Closure, python: Path) -> None:
    """Unpack a zip and import the handler as Lambda does, with nothing else to import from.

    Raises PackageError when the import fails, or when that of a webhook loads a third-party package.
    """
    with tempfile.TemporaryDirectory(prefix="task-") as folder:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
        environment = {
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{RUNTIME}",
            "AWS_LAMBDA_FUNCTION_NAME": f"package-check-{closure.function}",
            "AWS_REGION": "sa-east-1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        later = sorted((closure.shipped.modules | closure.shipped.third_party).keys() - closure.at_start.modules.keys())
        done = subprocess.run(
            [str(python), "-I", "-S", "-c", IMPORT_CHECK, folder, f"functions/{closure.function}", *later],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise PackageError(f"{path.name} does not import on its own: {done.stderr.strip().splitlines()[-1]}")
    if closure.function.startswith("webhook_") and done.stdout.strip():
        raise PackageError(f"{path.name} loads {done.stdout.strip()} at start, which a webhook must not")


def _package_function(
    closure: Closure,
    sources: Sources,
    own: Path,
    distributions: Distributions,
    declared: list[Requirement],
    target: Path,
) -> Packaged:
    direct = {
        name
        for package_name, chain in closure.shipped.third_party.items()
        for name in distributions.providers(package_name, chain)
    }
    names = distributions.with_requirements(direct, declared)
    entries = dict(_own_files(closure, sources, own))
    for name in names:
        for inside, path in distributions.files(name):
            entries[inside] = path
            if path.suffix == ".py":
                bytecode = bytecode_name(PurePosixPath(inside))
                entries[bytecode] = distributions.folder / bytecode
    zip_size, unpacked_size = write_zip(target / f"{closure.function}.zip", entries)
    if zip_size > MAXIMUM_ZIP or unpacked_size > MAXIMUM_UNPACKED:
        raise PackageError(f"{closure.function}.zip has {zip_size:,} bytes ({unpacked_size:,}): more than Lambda takes")
    return Packaged(closure.function, names, zip_size, unpacked_size)


def _own_files(closure: Closure, sources: Sources, own: Path) -> Iterator[tuple[str, Path]]:
    for module in closure.shipped.modules:
        source = sources.paths[module].relative_to(sources.project)
        data = [path.relative_to(own) for path in (own / source.parent).iterdir() if path.suffix in DATA_SUFFIXES]
        for path in (source, Path(bytecode_name(PurePosixPath(source))), *data):
            yield path.as_posix(), own / path


def _copy_own(project: Path, own: Path) -> None:
    for folder in OWN_FOLDERS:
        shutil.copytree(project / folder, own / folder, ignore=shutil.ignore_patterns("__pycache__"))


def _print_table(packaged: list[Packaged], architecture: str) -> None:
    print(f"{'function':<16} {'zip MB':>7} {'unpacked MB':>12}  distributions")
    for one in packaged:
        names = ", ".join(one.distributions)
        print(f"{one.function:<16} {one.zip_size / 1e6:>7.2f} {one.unpacked_size / 1e6:>12.2f}  {names}")
    tried = "imported by a bare interpreter" if is_native(architecture) else "not imported: another machine's"
    print(f"{len(packaged)} zips for {architecture}; bytecode checked; {tried}")


def main(arguments: list[str]) -> int:
    """Package this project, print a table."""
    parser = argparse.ArgumentParser(description="One zip a function.")
    parser.add_argument("--architecture", choices=sorted(MACHINES), default=DEPLOYED)
    options = parser.parse_args(arguments)
    try:
        packaged = package(Sources(PROJECT), options.architecture)
    except (PackageError, ClosureError) as error:
        print(f"Not packaged: {error}", file=sys.stderr)
        return 1
    _print_table(packaged, options.architecture)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
