"""What one function says of itself, once its file and serverless.yml have been read."""

from dataclasses import asdict, dataclass, field
from typing import Any

# The prefix of a file fixes its guard's kind.
KIND_OF = {"webhook": "hmac", "queue": "queue", "cron": "cron", "ai": "jwt", "app": "jwt", "public": "public"}
KINDS = frozenset(KIND_OF.values())
# No HTTP request reaches these: a queue, a schedule.
EVENT_KINDS = frozenset({"cron", "queue"})


@dataclass
class Declared:
    """GUARD as literals. `options` are the arguments of the kind; `line` is that of GUARD.

    `lines` gives the line of each argument of guard(...), `kind_line` that of the kind. `built` is false where the
    function raises NotBuilt. `events` and `timeout` are those of serverless.yml.
    """

    name: str
    file: str
    line: int
    kind: str
    kind_line: int
    options: dict[str, Any]
    arguments: dict[str, Any]
    lines: dict[str, int]
    built: bool = True
    events: list[str] = field(default_factory=list)
    timeout: int | None = None

    @property
    def prefix(self) -> str:
        """The trigger that the file is named after."""
        return self.name.partition("_")[0]

    @property
    def path(self) -> str:
        """The path that the file's name fixes."""
        prefix, _, subject = self.name.partition("_")
        return f"/{prefix}/{subject.replace('_', '-')}"

    @property
    def argument(self) -> str:
        """The scheme of hmac, the name of a queue, else an empty string."""
        return str(self.options.get("scheme", self.options.get("name", "")))

    @property
    def methods(self) -> tuple[str, ...]:
        """As declared; an illegal declaration counts as none."""
        value = self.arguments.get("methods", ())
        return value if isinstance(value, tuple) and all(isinstance(method, str) for method in value) else ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """As declared; an illegal declaration counts as none."""
        value = self.arguments.get("secrets", ())
        return value if isinstance(value, tuple) and all(isinstance(name, str) for name in value) else ()

    @property
    def guard(self) -> str:
        """The guard as people read it: jwt(aal2, fresh_totp=300), hmac(meta); without the reason of a public one."""
        shown = [
            key if value is True else value if key in ("scheme", "name") else f"{key}={value}"
            for key, value in self.options.items()
            if key != "reason" and value is not False
        ]
        return f"{self.kind}({', '.join(map(str, shown))})" if shown else self.kind

    def line_of(self, argument: str) -> int:
        """The line of one argument of guard(...), or GUARD's own."""
        return self.lines.get(argument, self.line)

    def as_data(self) -> dict[str, Any]:
        """For `--json`."""
        data = asdict(self)
        for hidden in ("lines", "kind_line"):
            del data[hidden]
        return data
