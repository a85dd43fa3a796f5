import hashlib
import importlib.util
import py_compile
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

import scripts.package as script
from scripts.deployment import runtime
from scripts.deployment.closure import Sources
from scripts.deployment.runtime import PackageError, bytecode_name, find_python
from scripts.package import check_bytecode, is_native, package, write_zip

NATIVE = next((name for name in ("x86_64", "arm64") if is_native(name)), "arm64")
GUARD = "GUARD = guard({}, secrets=())\n"
HANDLER = "def handler(event, context):\n    return 'ok'\n"
FILES = {
    "functions/webhook_a.py": "from shared.door import guard, hmac\n" + GUARD.format("hmac('meta')") + HANDLER,
    "functions/app_b.py": "import wheely\nfrom shared.door import guard, jwt\n" + GUARD.format("jwt()") + HANDLER,
    "shared/__init__.py": "",
    "shared/door/__init__.py": "def guard(*_, **__): ...\ndef jwt(): ...\ndef hmac(_): ...\n",
    "shared/door/rate.lua": "return 0",
    "shared/never.py": "COLOURS = {'red', 'green', 'blue'}\n",
    "pyproject.toml": "[project]\ndependencies = ['wheely']\n",
}


@pytest.fixture(autouse=True)
def _running_python_is_the_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that these tests need no second Python; the real one is asked by `make template`."""
    monkeypatch.setattr(runtime, "RUNTIME", f"{sys.version_info[0]}.{sys.version_info[1]}")
    monkeypatch.delenv("PYTHON313", raising=False)


def make_project(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    wheel = folder / "wheely-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("wheely/__init__.py", "SPOKES = frozenset({'one', 'two', 'three'})\n")
        archive.writestr("wheely-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: wheely\nVersion: 1.0\n")
        archive.writestr("wheely-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("wheely-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "requirements.txt").write_text(f"wheely @ {wheel.as_uri()} --hash=sha256:{digest}\n")
    return folder


def names_in(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def build(project: Path) -> dict[str, Path]:
    """Package for this machine, so that the zips are imported as well."""
    package(Sources(project, lazy=()), NATIVE)
    folder = project / ".package"
    return {path.stem: path for path in (folder if NATIVE == script.DEPLOYED else folder / NATIVE).glob("*.zip")}


def test_a_zip_holds_what_its_function_needs_with_bytecode(tmp_path: Path) -> None:
    zips = build(make_project(tmp_path, FILES))
    own = ["functions/app_b.py", "shared/__init__.py", "shared/door/__init__.py", "wheely/__init__.py"]
    bytecode = [bytecode_name(PurePosixPath(name)) for name in own]
    data = ["shared/door/rate.lua", "wheely-1.0.dist-info/METADATA", "wheely-1.0.dist-info/WHEEL"]
    assert names_in(zips["app_b"]) == sorted(own + bytecode + data)
    assert not any(name.startswith("wheely") for name in names_in(zips["webhook_a"]))
    with zipfile.ZipFile(zips["app_b"]) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"/var/task/functions/app_b.py" in archive.read(bytecode[0])


def test_the_same_sources_give_the_same_bytes_wherever_they_are(tmp_path: Path) -> None:
    first = build(make_project(tmp_path / "one", FILES))
    second = build(make_project(tmp_path / "a folder with spaces", FILES))
    assert first.keys() == second.keys() == {"webhook_a", "app_b"}
    for name, path in first.items():
        assert path.read_bytes() == second[name].read_bytes(), name


def test_distributions_are_installed_again_only_when_the_requirements_change(tmp_path: Path) -> None:
    project = make_project(tmp_path, FILES)
    build(project)
    installed = project / ".package" / NATIVE / "distributions" / "site" / "wheely" / "__init__.py"
    before = installed.stat().st_mtime_ns
    installed.with_name("mark").touch()
    build(project)
    assert installed.with_name("mark").exists()
    assert installed.stat().st_mtime_ns == before
    requirements = project / "requirements.txt"
    requirements.write_text(requirements.read_text() + "# changed\n")
    build(project)
    assert not installed.with_name("mark").exists()


def test_a_requirement_with_another_hash_is_refused(tmp_path: Path) -> None:
    project = make_project(tmp_path, FILES)
    requirements = project / "requirements.txt"
    requirements.write_text(requirements.read_text().replace("sha256:", "sha256:0000")[:-5] + "\n")
    with pytest.raises(PackageError, match=r"pip could not install requirements\.txt"):
        build(project)


@pytest.mark.skipif(not is_native(NATIVE), reason="the zips hold Linux libraries: this system cannot import them")
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("import antigravity_of_nobody", "nothing in requirements.txt brings it"),
        ("from shared.never import NOTHING", "does not import on its own: ImportError: cannot import name 'NOTHING'"),
        ("handler = 3", "does not import on its own: AssertionError: handler cannot be called"),
    ],
)
def test_a_function_that_cannot_run_alone_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    broken = FILES["functions/app_b.py"] + text + "\n"
    with pytest.raises(PackageError, match=complaint):
        build(make_project(tmp_path, FILES | {"functions/app_b.py": broken}))


def compiled(folder: Path, mode: str) -> Path:
    """A zip of one module with bytecode of a mode: "unchecked-hash", "checked-hash", "timestamp" or none."""
    (folder / "one.py").write_text("x = 1\n")
    bytecode = bytecode_name(PurePosixPath("one.py"))
    entries = {"one.py": folder / "one.py"}
    if mode:
        kind = py_compile.PycInvalidationMode[mode.upper().replace("-", "_")]
        py_compile.compile(str(folder / "one.py"), str(folder / bytecode), invalidation_mode=kind)
        entries[bytecode] = folder / bytecode
    write_zip(folder / "one.zip", entries)
    return folder / "one.zip"


def test_good_bytecode_passes(tmp_path: Path) -> None:
    check_bytecode(compiled(tmp_path, "unchecked-hash"), importlib.util.MAGIC_NUMBER)


@pytest.mark.parametrize(
    ("mode", "magic", "complaint"),
    [
        ("", importlib.util.MAGIC_NUMBER, r"one\.zip: one\.py has no bytecode"),
        ("unchecked-hash", b"none", r"one\.cpython-\d+\.pyc was compiled by another Python"),
        ("checked-hash", importlib.util.MAGIC_NUMBER, r"one\.cpython-\d+\.pyc is not unchecked-hash"),
        ("timestamp", importlib.util.MAGIC_NUMBER, r"one\.cpython-\d+\.pyc is not unchecked-hash"),
    ],
)
def test_bytecode_that_lambda_would_reject_is_named(tmp_path: Path, mode: str, magic: bytes, complaint: str) -> None:
    with pytest.raises(PackageError, match=complaint):
        check_bytecode(compiled(tmp_path, mode), magic)


LOCKED = Path("/locked")


def test_a_python_of_the_runtimes_version_is_found_or_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_python() == Path(sys.executable)
    monkeypatch.setenv("PYTHON313", str(tmp_path / "nowhere"))
    with pytest.raises(PackageError, match=r"PYTHON313 is .*nowhere, which does not run as Python"):
        find_python()
    monkeypatch.setenv("PYTHON313", sys.executable)
    assert find_python() == Path(sys.executable)
    monkeypatch.delenv("PYTHON313")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(runtime, "RUNTIME", "3.999")
    with pytest.raises(PackageError, match="or name it in PYTHON313"):
        find_python()
    version = tmp_path / "versions" / "3.999.1" / "bin"
    version.mkdir(parents=True)
    (version / "python").write_text("#!/bin/sh\necho 3.999\n")
    (version / "python").chmod(0o755)
    assert find_python() == version / "python"


def test_unreadable_pyenv_folder_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "pyenv" / "versions" / "3.999.1" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 3.999\n")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(runtime, "RUNTIME", "3.999")
    # A name that is too long is an error of the system for every user, root included; so is a folder of another user.
    for unreadable in (tmp_path / ("x" * 300), LOCKED):
        monkeypatch.setenv("PYENV_ROOT", str(unreadable))
        with monkeypatch.context() as patch:
            patch.setattr(Path, "glob", _refusing_glob)
            with pytest.raises(PackageError, match="or name it in PYTHON313"):
                find_python()
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert find_python() == python


def _refusing_glob(folder: Path, pattern: str) -> list[Path]:
    """Answer as Path.glob does for a folder that this user cannot search."""
    if LOCKED in folder.parents:
        raise PermissionError(13, "Permission denied", str(folder))
    folder.stat()
    return []


def test_the_command_says_why_it_could_not_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "PROJECT", tmp_path)
    assert script.main([]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("Not packaged: ")
