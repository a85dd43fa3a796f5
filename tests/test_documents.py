"""Pages that quote the code are held to it."""

import subprocess
import sys

from local.plan import PROJECT

README = (PROJECT / "README.md").read_text()


def blocks() -> list[str]:
    """The fenced blocks of the README, without the line that opens them."""
    return [block.partition("\n")[2].rstrip() for block in README.split("```")[1::2]]


def test_the_audit_in_the_readme_is_the_audit_of_today():
    said = subprocess.run(
        [sys.executable, "scripts/audit_guards.py"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    quoted = "\n".join(line.rstrip() for line in f"$ make audit\n{said}".splitlines())
    assert quoted in ["\n".join(line.rstrip() for line in block.splitlines()) for block in blocks()], (
        "You are here because `make audit` no longer prints what README.md quotes: paste its output there."
    )


def test_the_function_in_the_readme_is_the_one_in_the_tree():
    assert (PROJECT / "functions" / "cron_recover.py").read_text().rstrip() in blocks(), (
        "You are here because functions/cron_recover.py changed: paste it into README.md."
    )


def test_the_isolation_in_the_readme_is_the_committed_one():
    for target, file in (("isolation", "isolation.txt"), ("prove-isolation", "isolation_mutants.txt")):
        committed = (PROJECT / "tests" / "output" / file).read_text().splitlines()
        [block] = [block for block in blocks() if block.startswith(f"$ make {target}\n")]
        quoted = [line for line in block.splitlines()[1:] if line not in ("", "…")]
        assert [line for line in quoted if line not in committed] == [], (
            f"You are here because tests/output/{file} no longer has these lines of README.md: quote the new ones."
        )


def test_every_target_and_folder_that_the_readme_names_is_there():
    makefile = (PROJECT / "Makefile").read_text()
    for target in ("dev", "test", "demo", "audit", "bench", "template", "isolation", "help"):
        assert f"make {target}" in README
        assert f"\n{target}:" in makefile
    for line in README.splitlines():
        if line.startswith("| `") and line.split("`")[1].endswith("/"):
            assert (PROJECT / line.split("`")[1]).is_dir(), line
