"""The tests' word: rows of attacks, the committed refusal matrix, the list of what is not built."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from scripts.audit.declared import KIND_OF
from scripts.audit.findings import Finding
from scripts.audit.source import parse

ROWS = "tests/refusals/rows.py"
MATRIX = "tests/output/refusals.txt"
NOT_BUILT = "tests/output/not_built.txt"
FUNCTION_NAME = re.compile(rf"(?:{'|'.join(KIND_OF)})_[a-z0-9_]+")


def check_witnesses(project: Path, names: set[str], not_built: set[str]) -> Iterator[Finding]:
    """`not_built` are the functions that raise NotBuilt. Without tests/refusals there is nothing to compare yet."""
    if (project / "tests" / "refusals").is_dir():
        yield from _check_rows(project / ROWS, names)
        yield from _check_matrix(project / MATRIX, names)
    yield from _check_not_built(project / NOT_BUILT, not_built)


def _check_rows(path: Path, names: set[str]) -> Iterator[Finding]:
    rows = _read_rows(path)
    if isinstance(rows, Finding):
        yield rows
        return
    line, keys = rows
    for name in sorted(names - keys.keys()):
        yield Finding(ROWS, line, "row-missing", f"add a row for {name}: how it is called rightly")
    for name in sorted(keys.keys() - names):
        yield Finding(ROWS, keys[name], "row-orphan", f"take out the row of {name}: there is no such function")


def _read_rows(path: Path) -> tuple[int, dict[str, int]] | Finding:
    """The line of ROWS, and the line of each of its keys."""
    try:
        tree = parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return Finding(ROWS, 1, "rows-unreadable", 'write this file with a literal ROWS = {"<function>": ...}')
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if not (isinstance(target, ast.Name) and target.id == "ROWS" and isinstance(value, ast.Dict)):
            continue
        keys: dict[str, int] = {}
        for key in value.keys:
            if not (isinstance(key, ast.Constant) and isinstance(key.value, str)) or key.value in keys:
                place = key.lineno if key else node.lineno
                return Finding(ROWS, place, "rows-unreadable", "write each key as the literal name of one function")
            keys[key.value] = key.lineno
        return node.lineno, keys
    return Finding(ROWS, 1, "rows-unreadable", 'assign a literal ROWS = {"<function>": ...} at the top level')


def _check_matrix(path: Path, names: set[str]) -> Iterator[Finding]:
    listed = _first_words(path)
    for name in sorted(names - listed.keys()):
        message = f"add {name}: run its attacks, read what they say, and commit the new matrix"
        yield Finding(MATRIX, 1, "matrix-missing", message)
    for name in sorted(listed.keys() - names):
        yield Finding(MATRIX, listed[name], "matrix-orphan", f"take out {name}: there is no such function")


def _check_not_built(path: Path, not_built: set[str]) -> Iterator[Finding]:
    listed = _first_words(path)
    for name in sorted(not_built - listed.keys()):
        yield Finding(NOT_BUILT, 1, "not-built-list", f"add {name}, which raises NotBuilt, or build it")
    for name in sorted(listed.keys() - not_built):
        yield Finding(NOT_BUILT, listed[name], "not-built-list", f"take out {name}: it does not raise NotBuilt")


def _first_words(path: Path) -> dict[str, int]:
    """Functions that open a line of a text file, with the first such line; nothing when there is no file."""
    found: dict[str, int] = {}
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    for number, line in enumerate(text.splitlines(), 1):
        word = re.match(r"[\w-]+", line.lstrip("|` "))
        if word and FUNCTION_NAME.fullmatch(word[0]):
            found.setdefault(word[0], number)
    return found
