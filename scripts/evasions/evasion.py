"""One evasion: a change that weakens a function, shared/ or serverless.yml, and the rule of the audit that sees it."""

from dataclasses import dataclass

SEND, REPLY, HEALTH = "functions/app_send.py", "functions/queue_reply.py", "functions/public_health.py"
WEBHOOK, DELETE, RECOVER = "functions/webhook_meta.py", "functions/app_delete_account.py", "functions/cron_recover.py"
TEMPLATE, ALLOWANCES = "serverless.yml", "scripts/audit_allowances.txt"
SEND_ENTRY = "  app_send:\n"
_STAGE = "    STAGE: ${sls:stage}\n"
# A module of shared/ that every console function reaches.
SHARED = "shared/data/fields.py"


@dataclass(frozen=True)
class Evasion:
    """`old` becomes `new` in `file`, at its first place below the text `after`; without `old`, `new` is appended."""

    name: str
    rule: str
    file: str
    new: str
    old: str = ""
    after: str = ""

    def planted(self, original: str | None) -> str | None:
        """Return the file's changed text, None if a text is not in it. `original` is None for a new file."""
        if not self.old:
            return f"{original or ''}{self.new}"
        text = original or ""
        start = text.find(self.after)
        start = text.find(self.old, start) if start >= 0 else -1
        return None if start < 0 else text[:start] + self.new + text[start + len(self.old) :]


def appended(name: str, rule: str, code: str, file: str = SEND) -> Evasion:
    """Plant code below a function's file, where its import runs it."""
    return Evasion(name, rule, file, f"\n\n{code}\n")


def shared(name: str, rule: str, code: str, file: str = SHARED) -> Evasion:
    """Plant code below a module of shared/."""
    return Evasion(name, rule, file, f"\n\n{code}\n")


def in_handler(name: str, rule: str, code: str) -> Evasion:
    """Plant a statement in the handler of app_send."""
    first = "    written = request.body(Written)\n"
    return Evasion(name, rule, SEND, f"    {code}\n{first}", first)


def changed(name: str, rule: str, file: str, old: str, new: str) -> Evasion:
    """Replace a text of a file."""
    return Evasion(name, rule, file, new, old)


def deployed(name: str, rule: str, old: str, new: str, after: str = "") -> Evasion:
    """Replace a text of serverless.yml."""
    return Evasion(name, rule, TEMPLATE, new, old, after)


def entry(name: str, rule: str, line: str) -> Evasion:
    """Add a line to the entry of app_send in serverless.yml."""
    return deployed(name, rule, SEND_ENTRY, f"{SEND_ENTRY}    {line}\n")


def setting(name: str, value: str, rule: str = "setting-unknown") -> Evasion:
    """Set an environment variable for every function."""
    return deployed(f"{name} in the environment of every function", rule, _STAGE, f"{_STAGE}    {name}: {value}\n")
