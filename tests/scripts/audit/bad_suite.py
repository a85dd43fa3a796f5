"""A suite with one defect: what is changed in the good one, and the finding that must come of it."""

from dataclasses import dataclass

from tests.scripts.audit.good_suite import FILES

APP, WEBHOOK = "functions/app_thing.py", "functions/webhook_meta.py"
QUEUE, CRON, PUBLIC = "functions/queue_reply.py", "functions/cron_sweep.py", "functions/public_health.py"
INTERNAL = "functions/internal_read.py"
DEPLOYMENT, WAIVERS = "serverless.yml", "scripts/audit_waivers.txt"
ROWS, MATRIX, NOT_BUILT = "tests/refusals/rows.py", "tests/output/refusals.txt", "tests/output/not_built.txt"
LAST_LINE = "return store.keep(thing.tenant, key, read(Setting.SUPABASE_URL))"


@dataclass(frozen=True)
class Bad:
    """`old` becomes `new` in `file` (or `new` is the whole file); the finding is `rule` in the line that `at` leads to.

    `at` is a text of that line, or texts of lines further and further down, with " > " between them; empty: line 1.
    `found_in` is the file of the finding when it is another one; `beside` are findings that the defect brings along.
    """

    rule: str
    file: str
    old: str
    new: str
    at: str
    found_in: str = ""
    beside: tuple[tuple[str, str, int], ...] = ()

    def files(self) -> dict[str, str]:
        """The whole bad suite."""
        text = FILES.get(self.file, "")
        assert self.old in text, f"{self.old!r} is not in the good {self.file}"
        return FILES | {self.file: text.replace(self.old, self.new, 1) if self.old else self.new}

    def findings(self) -> list[tuple[str, str, int]]:
        """Rule, file and line of each."""
        file = self.found_in or self.file
        lines, line = self.files().get(file, "").splitlines(), 0
        for text in self.at.split(" > ") if self.at else []:
            line = next(number for number in range(line + 1, len(lines) + 1) if text in lines[number - 1])
        return [(self.rule, file, line or 1), *self.beside]


def after_all(rule: str, code: str, at: str = "") -> Bad:
    """Code below the last function."""
    return Bad(rule, APP, LAST_LINE, f"{LAST_LINE}\n\n\n{code}", at or code)


def imported(rule: str, statement: str) -> Bad:
    """One more import."""
    return Bad(rule, APP, "from uuid import UUID", f"{statement}\nfrom uuid import UUID", statement)


def in_body(rule: str, statement: str) -> Bad:
    """One more statement in a function's body."""
    return Bad(rule, APP, "    thing = request", f"    {statement}\n    thing = request", statement)


def deployed(rule: str, old: str, new: str, at: str = "", beside: tuple[tuple[str, str, int], ...] = ()) -> Bad:
    """Another line of serverless.yml."""
    return Bad(rule, DEPLOYMENT, old, new, at or new, beside=beside)


def declared(rule: str, old: str, new: str) -> Bad:
    """Another value in the console function's GUARD."""
    return Bad(rule, APP, old, new, new)
