"""The key that passes row level security is in one module, and that module is in no function that a person calls."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.plan import PROJECT
from scripts.deployment.closure import Sources

NAME = "SUPABASE_SECRET_KEY"
HOLDER = "shared/data/database.py"
FUNCTIONS = PROJECT / "functions"
INTERNAL = sorted(path.stem for path in FUNCTIONS.glob("internal_*.py"))
USER_SCOPED = sorted(path.stem for kind in ("ai_*.py", "app_*.py") for path in FUNCTIONS.glob(kind))
FILES = sorted(path for folder in ("shared", "functions") for path in (PROJECT / folder).rglob("*.py"))


@pytest.fixture(scope="module")
def sources() -> Sources:
    return Sources(PROJECT)


def mentions(path: Path) -> Iterator[ast.AST]:
    """Every place of a file that names the key, as an attribute, a name or a text."""
    for node in ast.walk(ast.parse(path.read_text())):
        named = getattr(node, "attr", None) or getattr(node, "id", None) or getattr(node, "value", None)
        if isinstance(node, ast.Attribute | ast.Name | ast.Constant) and isinstance(named, str) and NAME in named:
            yield node


def declared(path: Path) -> set[tuple[int, int]]:
    """Where the texts in `secrets=` of a function's GUARD stand."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    guards = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "guard"]
    lists = [given.value for call in guards for given in call.keywords if given.arg == "secrets"]
    return {
        (node.lineno, node.col_offset) for found in lists for node in ast.walk(found) if isinstance(node, ast.Constant)
    }


def test_one_module_reads_the_secret_key():
    readers = set()
    for path in FILES:
        allowed = declared(path) if path.parent.name == "functions" else set()
        if any((node.lineno, node.col_offset) not in allowed for node in mentions(path)):
            readers.add(str(path.relative_to(PROJECT)))
    # settings.py is where the name is defined.
    assert readers - {"shared/settings.py"} == {HOLDER}, (
        f"You are here because something beside {HOLDER} reads {NAME}: call a function of shared/data instead."
    )


def test_a_secret_is_asked_for_by_its_own_name_only():
    """So that no name made at run time can be the secret key's; the guard reads its own literal declaration."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Secret"
            looked_up = (
                isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "Secret"
            )
            if called or looked_up:
                assert path.relative_to(PROJECT) == Path("shared/guard/declaration.py"), path


def test_there_are_functions_to_look_at():
    assert len(USER_SCOPED) >= 13


@pytest.mark.parametrize("function", USER_SCOPED)
def test_a_function_that_a_person_calls_has_no_way_to_the_secret_key(sources, function):
    closure = sources.closure(function)
    assert NAME not in closure.guard.secrets, f"You are here because {function} declares {NAME}: take it out of GUARD."
    way = closure.shipped.modules.get("shared.data.database")
    assert way is None, (
        f"You are here because {function} reaches the module with the secret key by {' -> '.join(way or ())}: "
        "shapes of rows are in shared/data/rows.py, a person's access in shared/data/user_store.py."
    )


@pytest.mark.parametrize("function", INTERNAL)
def test_an_internal_function_has_no_way_to_a_secret_a_database_or_a_model(sources, function):
    closure = sources.closure(function)
    assert closure.guard.secrets == ()
    for module in ("shared.data.database", "shared.data.encryption", "shared.cloud.queues", "shared.assistant.model"):
        assert closure.shipped.modules.get(module) is None
    assert "shared.knowledge.pdf" in closure.shipped.modules


def test_the_caller_of_the_reader_has_no_parser(sources):
    assert {"pypdf", "pypdfium2_raw", "lxml"} & sources.closure("queue_ingest").shipped.third_party.keys() == set()
    assert {"pypdf", "pypdfium2_raw"} <= sources.closure("internal_read_file").shipped.third_party.keys()


def test_the_server_still_has_its_way(sources):
    assert "shared.data.database" in sources.closure("queue_reply").shipped.modules
