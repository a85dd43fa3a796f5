"""Tables for a terminal, and the page docs/benchmarks/guard.md."""

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from bench.peers.install import PROJECT
from scripts.deployment.runtime import output

PAGE = PROJECT / "docs" / "benchmarks" / "guard.md"
_HEAD = """# The guard's benchmarks

What the numbers mean and how to run them again: `bench/README.md`. Each section is one run and holds its own
comparison; times of different sections, machines or days do not compare, ratios do.
"""


class Table:
    """Rows of one table, one column a subject, with a bar where the project has set itself one."""

    def __init__(self, title: str, columns: Sequence[str]) -> None:
        self.title = title
        self.lines: list[list[str]] = [["", *columns, "bar for ours"]]

    def row(self, name: str, cells: Sequence[str], bar: str = "", met: bool | None = None) -> None:
        """One row; `met` says whether ours keeps the bar."""
        verdict = "" if met is None else ("met" if met else "MISSED")
        self.lines.append([name, *cells, f"{bar} {verdict}".strip()])

    def text(self) -> str:
        """In columns, for a terminal."""
        widths = [max(len(line[place]) for line in self.lines) for place in range(len(self.lines[0]))]
        rows = [
            "  ".join(
                cell.rjust(width) if 0 < place < len(widths) - 1 else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in self.lines
        ]
        return "\n".join([self.title, *rows])

    def markdown(self) -> str:
        """As a Markdown table."""
        head, *rest = ["| " + " | ".join(line) + " |" for line in self.lines]
        rule = "|---|" + "---:|" * (len(self.lines[0]) - 2) + "---|"
        return "\n".join([f"**{self.title}**", "", head, rule, *rest])


def publish(section: str, legend: str, tables: Sequence[Table], python: Path, date: str | None) -> None:
    """Print the tables; with a date keep them as this section of the page, in place of what it said before."""
    print(f"\n{legend}\n")
    for table in tables:
        print(table.text(), end="\n\n")
    if date is None:
        return
    body = "\n\n".join([f"{date}, {machine(python)}.", legend, *(table.markdown() for table in tables)])
    page = PAGE.read_text() if PAGE.exists() else _HEAD
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(with_section(page, section, body))
    print(f"written: {PAGE.relative_to(PROJECT)}")


def with_section(page: str, section: str, body: str) -> str:
    """The page with this section's body, which is put at the end when the page has none."""
    new = f"## {section}\n\n{body}\n"
    found = re.search(rf"^## {re.escape(section)}\n.*?(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    if found is None:
        return f"{page.rstrip()}\n\n{new}"
    rest = page[found.end() :]
    return page[: found.start()] + new + (f"\n{rest}" if rest else "")


def machine(python: Path) -> str:
    """What it ran on."""
    version = output(python, "import platform; print(platform.python_version())")
    return f"{os.cpu_count()} cores of {_processor()}, {platform.system()}, Python {version}"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()
