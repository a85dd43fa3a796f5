from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.deployment.closure import ClosureError, Guard, LazyEdge, Sources, read_guard

PROJECT = Path(__file__).resolve().parents[3]
GUARD = "GUARD = guard({kind}, secrets=('A',), methods=('POST',){more})\n"
MakeProject = Callable[[dict[str, str]], Path]


@pytest.fixture
def make_project(tmp_path: Path) -> MakeProject:
    def make(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return make


def function(text: str, kind: str = "jwt()", more: str = "") -> str:
    return text + "\n" + GUARD.format(kind=kind, more=more)


def test_a_closure_holds_what_is_reached_and_nothing_else(make_project: MakeProject) -> None:
    project = make_project(
        {
            "functions/app_a.py": function("import json\nfrom shared.one import first\nfrom shared import two"),
            "shared/__init__.py": "",
            "shared/one/__init__.py": "from .first import x",
            "shared/one/first.py": "from ..two import y\nimport heavy.part",
            "shared/one/second.py": "import never",
            "shared/two.py": "try:\n    import quick\nexcept ImportError:\n    quick = None",
        }
    )
    closure = Sources(project, lazy=()).closure("app_a")
    assert sorted(closure.shipped.modules) == [
        "functions.app_a",
        "shared",
        "shared.one",
        "shared.one.first",
        "shared.two",
    ]
    assert closure.shipped.third_party["heavy"] == ("functions.app_a", "shared.one.first", "heavy")
    assert sorted(closure.shipped.third_party) == ["heavy", "quick"]
    assert closure.at_start == closure.shipped


def test_an_import_in_a_functions_own_body_is_shipped_but_not_loaded_at_start(make_project: MakeProject) -> None:
    text = "def handler():\n    from shared import late\n    import heavy\n"
    project = make_project(
        {"functions/app_a.py": function(text), "shared/__init__.py": "", "shared/late.py": "import more"}
    )
    closure = Sources(project, lazy=()).closure("app_a")
    assert sorted(closure.shipped.third_party) == ["heavy", "more"]
    assert closure.at_start.third_party == {}
    assert "shared.late" not in closure.at_start.modules


def test_what_only_a_type_checker_imports_is_left_out(make_project: MakeProject) -> None:
    text = "import typing\nif typing.TYPE_CHECKING:\n    import heavy\nelse:\n    import light"
    project = make_project({"functions/app_a.py": function(text)})
    assert list(Sources(project, lazy=()).closure("app_a").shipped.third_party) == ["light"]


LAZY_PROJECT = {
    "functions/app_a.py": function("from shared import door", "jwt()"),
    "functions/app_b.py": function("from shared import door", "jwt()", more=", rate=5"),
    "functions/webhook_c.py": function("from shared import door", "hmac('meta')"),
    "shared/__init__.py": "",
    "shared/door.py": "def rate():\n    import redis\ndef report():\n    import sentry\n",
}
LAZY_EDGES = (
    LazyEdge("shared.door", "redis", live=lambda guard: guard.rate > 0),
    LazyEdge("shared.door", "sentry", live=lambda guard: True, on_error=True),
)


def test_a_lazy_import_is_shipped_to_those_whose_guard_makes_it_run(make_project: MakeProject) -> None:
    sources = Sources(make_project(LAZY_PROJECT), lazy=LAZY_EDGES)
    shipped = {name: sorted(sources.closure(name).shipped.third_party) for name in sources.functions()}
    assert shipped == {"app_a": ["sentry"], "app_b": ["redis", "sentry"], "webhook_c": ["sentry"]}
    assert sources.closure("app_b").at_start.third_party == {}


def test_a_webhook_that_reaches_a_third_party_package_is_told_the_way(make_project: MakeProject) -> None:
    project = make_project(LAZY_PROJECT | {"functions/webhook_c.py": LAZY_PROJECT["functions/app_b.py"]})
    with pytest.raises(ClosureError, match=r"redis is reached by functions\.webhook_c -> shared\.door -> redis"):
        Sources(project, lazy=LAZY_EDGES).closure("webhook_c")


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("shared/new.py", "def f():\n    import heavy", r"shared/new\.py:2 imports heavy inside a body: say in LAZY"),
        ("shared/new.py", "from shared import nowhere", None),
        ("shared/new.py", "import shared.nowhere", r"shared/new\.py:1 imports shared\.nowhere, which is no file"),
        ("shared/new.py", "import importlib", r"shared/new\.py:1 imports by a computed name"),
        ("shared/new.py", "x = __import__('heavy')", r"shared/new\.py:1 imports by a computed name"),
        ("shared/door.py", "import redis, sentry", r"no longer imports redis inside a body: remove it from LAZY"),
    ],
)
def test_what_packaging_cannot_follow_is_named(
    make_project: MakeProject, name: str, text: str, complaint: str | None
) -> None:
    project = make_project(LAZY_PROJECT | {name: text})
    if complaint is None:
        Sources(project, lazy=LAZY_EDGES)
        return
    with pytest.raises(ClosureError, match=complaint):
        Sources(project, lazy=LAZY_EDGES)


def test_a_project_without_functions_is_an_error(make_project: MakeProject) -> None:
    with pytest.raises(ClosureError, match="nothing to package"):
        Sources(make_project({"shared/__init__.py": ""}), lazy=()).functions()


def test_a_guard_is_read_without_importing(tmp_path: Path) -> None:
    path = tmp_path / "queue_reply.py"
    path.write_text(GUARD.format(kind="queue('reply')", more=", rate=3, body_limit=3 * 1024"))
    assert read_guard(path) == Guard("queue", "reply", ("A",), 3, ("POST",))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1", r"functions/app_a\.py declares no GUARD"),
        ("GUARD = guard(jwt(), secrets=NAMES)", r"functions/app_a\.py:1: GUARD must be made of literals"),
    ],
)
def test_a_guard_that_cannot_be_read_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "app_a.py"
    path.write_text(text)
    with pytest.raises(ClosureError, match=complaint):
        read_guard(path)


def test_the_projects_own_functions_load_and_ship_what_they_should() -> None:
    sources = Sources(PROJECT)
    for name in sources.functions():
        closure = sources.closure(name)
        shipped = closure.shipped.third_party.keys()
        assert "sentry_sdk" in shipped - closure.at_start.third_party.keys(), name
        assert ("jwt" in shipped) == (closure.guard.kind == "jwt"), name
        assert ("shared.abuse.shared_rate" in closure.shipped.modules) == (
            closure.guard.kind == "jwt" and closure.guard.rate > 0 and not closure.guard.consumes
        ), name
        if name.startswith("webhook_"):
            assert shipped == {"sentry_sdk"}, name
            assert not closure.at_start.third_party, name


def test_a_webhook_carries_the_verifier_of_its_own_scheme_only() -> None:
    sources = Sources(PROJECT)
    schemes = {"meta": "meta", "meta_privacy": "signed_request", "mercadopago": "mercadopago", "paddle": "paddle"}
    for subject, own in schemes.items():
        shipped = sources.closure(f"webhook_{subject}").shipped.modules
        carried = {name for name in schemes.values() if f"shared.guard.verify.{name}" in shipped}
        assert carried == {own}
        assert "shared.guard.verify.jwt" not in shipped
