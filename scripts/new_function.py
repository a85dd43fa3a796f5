"""Begin a function: its guarded file, its deployment, its test, and its row wherever functions are compared.

    python scripts/new_function.py app_invoice

What it writes passes the audit as it is; the business answers 501 until somebody builds it. Nothing is written unless
everything can be. Exit code 1, with a sentence, for a name that cannot be.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.scaffold.code import function_file, test_file
from scripts.scaffold.deployment import with_function
from scripts.scaffold.name import BadName, Name, read_name
from scripts.scaffold.witnesses import (
    with_isolation_line,
    with_isolation_row,
    with_line,
    with_matrix_row,
    with_maximum,
    with_queue_setting,
    with_row,
)

PROJECT = Path(__file__).resolve().parent.parent
NEXT = """\
{name} has its door. Now:
  1. Say in the three sentences of functions/{name}.py who calls, what changes, and what is answered.
  2. Fill in GUARD: body limit, rate, secrets, writes, and what happens when a store is down.
  3. Build it, and take it out of tests/output/not_built.txt (and lower MAXIMUM in tests/test_not_built.py).
  4. make audit, make test, make template. docs/adding-a-function.md has the whole list."""


def create(project: Path, name: Name) -> list[str]:
    """Write everything that a function needs; the files that were written or changed.

    Raises BadName when there is such a function already, and ValueError when a file of the project is not of the shape
    that this knows.
    """
    if (project / "functions" / f"{name}.py").exists():
        raise BadName(f"functions/{name}.py exists already.")
    deployment = project / "serverless.yml"
    if f"\n  {name}:\n" in deployment.read_text(encoding="utf-8"):
        raise BadName(f"serverless.yml has a function {name} already.")
    changes = {
        f"functions/{name}.py": function_file(name),
        f"tests/functions/test_{name}.py": test_file(name),
        "serverless.yml": with_function(deployment.read_text(encoding="utf-8"), name),
        "tests/refusals/rows.py": with_row(_read(project, "tests/refusals/rows.py"), name),
        "tests/output/refusals.txt": with_matrix_row(_read(project, "tests/output/refusals.txt"), name),
        "tests/output/not_built.txt": with_line(_read(project, "tests/output/not_built.txt"), name),
        "tests/test_not_built.py": with_maximum(_read(project, "tests/test_not_built.py")),
    }
    if name.prefix == "queue":
        changes["shared/settings.py"] = with_queue_setting(_read(project, "shared/settings.py"), name)
    if name.prefix in ("ai", "app"):
        for path, change in (
            ("tests/isolation_http/rows.py", with_isolation_row),
            ("tests/output/isolation_http.txt", with_isolation_line),
        ):
            changes[path] = change(_read(project, path), name)
    for path, text in changes.items():
        (project / path).write_text(text, encoding="utf-8")
    return [*changes]


def main(arguments: Sequence[str], project: Path = PROJECT) -> int:
    """Begin the function that the one argument names, and say what is next."""
    if len(arguments) != 1:
        print("Name one function, for example: python scripts/new_function.py app_invoice", file=sys.stderr)
        return 1
    try:
        name = read_name(arguments[0])
        written = create(project, name)
    except (BadName, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    for path in written:
        print(f"wrote {path}")
    print(NEXT.format(name=name))
    return 0


def _read(project: Path, path: str) -> str:
    return (project / path).read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
