from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts.deployment.distributions import Distributions, declared_requirements
from scripts.deployment.runtime import PackageError


def add(site: Path, name: str, requires: tuple[str, ...] = (), files: tuple[str, ...] = ()) -> None:
    """Unpack a distribution of one package (and more files) as pip would."""
    information = f"{name.replace('-', '_')}-1.0.dist-info"
    files = (f"{name.replace('-', '_')}/__init__.py", f"{information}/METADATA", f"{information}/RECORD", *files)
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text("", encoding="utf-8")
    lines = [f"Requires-Dist: {text}\n" for text in requires]
    (site / information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" + "".join(lines), encoding="utf-8"
    )
    (site / information / "RECORD").write_text("".join(f"{file},,\n" for file in files), encoding="utf-8")


def test_requirements_are_followed_for_the_runtime_and_its_machine(tmp_path: Path) -> None:
    add(tmp_path, "web", ("core", "old; python_version < '3.13'", "arm; platform_machine == 'aarch64'", "more[fast]"))
    add(tmp_path, "core", ("web",))
    add(tmp_path, "arm")
    add(tmp_path, "more", ("speed; extra == 'fast'", "colour; extra == 'nice'"))
    add(tmp_path, "speed")
    assert Distributions(tmp_path, "aarch64").with_requirements(["web"], []) == ["arm", "core", "more", "speed", "web"]
    assert Distributions(tmp_path, "x86_64").with_requirements(["web"], []) == ["core", "more", "speed", "web"]


def test_the_extras_that_the_project_declares_count(tmp_path: Path) -> None:
    add(tmp_path, "Py-Token", ("locks; extra == 'crypto'",))
    add(tmp_path, "locks")
    distributions = Distributions(tmp_path, "aarch64")
    assert distributions.with_requirements(["py-token"], []) == ["py-token"]
    assert distributions.with_requirements(["py-token"], [Requirement("py_token[crypto]>=1")]) == ["locks", "py-token"]


def test_a_requirement_that_nobody_pinned_is_named(tmp_path: Path) -> None:
    add(tmp_path, "web", ("core",))
    with pytest.raises(PackageError, match=r"web needs core, which requirements\.txt does not pin"):
        Distributions(tmp_path, "aarch64").with_requirements(["web"], [])


def test_an_import_is_found_under_the_distributions_own_name(tmp_path: Path) -> None:
    add(tmp_path, "py-token", files=("token.so", "single.py", "_fast.cpython-313-x86_64-linux-gnu.so"))
    distributions = Distributions(tmp_path, "aarch64")
    assert {distributions.providers(name, ()).pop() for name in ("py_token", "single", "_fast")} == {"py-token"}
    with pytest.raises(PackageError, match=r"boto3 is imported \(functions\.a -> boto3\), but nothing"):
        distributions.providers("boto3", ("functions.a", "boto3"))


def test_files_that_no_running_function_reads_are_left_out(tmp_path: Path) -> None:
    add(
        tmp_path,
        "web",
        files=("web/fast.so", "web/fast.c", "web/py.typed", "web/x.pyi", "web/tests/test_x.py", "../../bin/web"),
    )
    names = sorted(name for name, _ in Distributions(tmp_path, "aarch64").files("web"))
    assert names == ["web-1.0.dist-info/METADATA", "web/__init__.py", "web/fast.so"]


def test_a_declared_requirement_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\ndependencies = ['httpx', 'pyjwt[crypto]>=2']\n")
    assert [wanted.name for wanted in declared_requirements(tmp_path)] == ["httpx", "pyjwt"]
    (tmp_path / "pyproject.toml").write_text("[project]\ndependencies = ['not a name!']\n")
    with pytest.raises(PackageError, match=r"pyproject\.toml"):
        declared_requirements(tmp_path)
