"""The filter's version changes with every file that decides a verdict."""

import ast
import hashlib
import shutil
from pathlib import Path

import pytest

from local.plan import PROJECT
from shared.safety.version import FILTER_VERSION

SAFETY = Path("shared/safety")
FIRST = "judged"
DATA = ("concepts.json", "concepts/*.txt")


def modules(project: Path, name: str, found: set[str]) -> set[str]:
    """The modules of shared/safety that a module imports, itself included; not the one that holds the version."""
    if name in found or name == "version":
        return found
    found.add(name)
    for node in ast.walk(ast.parse((project / SAFETY / f"{name}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("shared.safety"):
            parts = node.module.split(".")
            for imported in [parts[2]] if len(parts) > 2 else [alias.name for alias in node.names]:
                if (project / SAFETY / f"{imported}.py").is_file():
                    modules(project, imported, found)
    return found


def files(project: Path) -> list[Path]:
    code = [SAFETY / f"{name}.py" for name in modules(project, FIRST, set())]
    data = [path.relative_to(project) for pattern in DATA for path in (project / SAFETY).glob(pattern)]
    return sorted([*code, *data])


def version_of(project: Path) -> str:
    digest = hashlib.sha256()
    for path in files(project):
        digest.update(f"{path.as_posix()}\0".encode() + (project / path).read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def test_version_is_that_of_the_files():
    expected = version_of(PROJECT)
    assert expected == FILTER_VERSION, (
        "You are here because a file that decides a verdict changed. Texts that the old filter "
        f'judged must be judged again: write FILTER_VERSION = "{expected}" into shared/safety/version.py.'
    )


def test_the_files_are_the_code_the_lists_and_the_weights():
    names = {path.relative_to(SAFETY).as_posix() for path in files(PROJECT)}
    assert {"judged.py", "scan.py", "scoring.py", "canonical.py", "decoding.py", "concepts.json"} <= names
    assert {"concepts/en.txt", "concepts/es.txt", "concepts/pt.txt"} <= names
    assert names.isdisjoint({"version.py", "answers.py", "media.py", "strikes.py"})


@pytest.mark.parametrize("path", files(PROJECT), ids=str)
def test_a_change_of_a_file_changes_the_version(tmp_path, path):
    shutil.copytree(PROJECT / SAFETY, tmp_path / SAFETY)
    assert version_of(tmp_path) == version_of(PROJECT)
    with (tmp_path / path).open("a") as file:
        file.write("\n")
    assert version_of(tmp_path) != version_of(PROJECT)
