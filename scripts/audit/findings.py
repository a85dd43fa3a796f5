"""The rules of the audit, and what it says when one is broken."""

from dataclasses import asdict, dataclass


class AuditError(ValueError):
    """The audit cannot be made at all: what it compares against is missing or unreadable."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong: `file` from the project's folder, `line` from 1; `message` says what to do."""

    file: str
    line: int
    rule: str
    message: str

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise KeyError(f"{self.rule} is no rule: add it to RULES")

    @property
    def place(self) -> str:
        """`file:line`, as editors and terminals understand it."""
        return f"{self.file}:{self.line}"

    def as_data(self) -> dict[str, str | int]:
        """For `--json`."""
        return asdict(self)


# Stable names (waivers, dashboards and code scanners keep them), each with what it demands.
RULES = {
    # the folder
    "no-functions": "functions/ holds at least one function: an audit of nothing is no audit.",
    "foreign-file": "functions/ is flat and holds Python files only.",
    "file-name": "A file is named <trigger>_<subject>.py; the trigger fixes its guard, its path and its events.",
    "syntax-error": "Every function can be read as Python.",
    "docstring-missing": "A function opens with who calls, what changes and what is answered.",
    # GUARD
    "guard-missing": "Every function declares GUARD.",
    "guard-form": "GUARD is bound by one plain assignment: GUARD = guard(...).",
    "guard-nested": "GUARD stands at the top level, under no condition.",
    "guard-repeated": "GUARD is bound once and stays as it is.",
    "guard-computed": "GUARD is guard(<kind>(...), ...) of literals, so that what is read is what runs.",
    "guard-argument": "The arguments of guard(...) and of its kind are those that shared/guard takes, of legal types.",
    "guard-referenced": "GUARD is used once: as the decorator of handler.",
    "guard-import": "guard and its kinds come from shared.guard, under their own names.",
    "guard-shadowed": "The names of the guard layer mean nothing else in a function.",
    "kind-unknown": "The guard's kind is hmac, jwt, cron, queue or public.",
    "kind-prefix": "The prefix of the file fixes the kind of its guard.",
    "scheme-unknown": "hmac(...) names a scheme of SCHEMES.",
    "scheme-provider": "A webhook's file is named after the provider whose scheme it declares.",
    "public-reason": "A public function says in words why anybody may call it.",
    "public-rate": "A public function has a rate limit.",
    "webhook-rate": "A webhook has a rate limit that asks no store.",
    "guard-methods": "methods are HTTP methods, each once, and none where no HTTP request arrives.",
    "number-bounds": "Each number of GUARD lies within the written bounds of its kind.",
    "jwt-rate": "A function that people call has a rate for each of them.",
    "body-limit": "body_limit is a number of bytes that API Gateway and Lambda let through.",
    "store-down": "store_down is refuse, degrade or queue.",
    "consumes-unknown": "consumes names what there is to use up: ai, embedding, file, send.",
    "rates-malformed": "rates are (scope, calls, seconds) of a function that consumes.",
    "consumption-undeclared": "A function declares whatever its code can use up.",
    "consumption-unused": "A function declares nothing that its code does not use up.",
    "consumption-unadmitted": "Nothing is used up without an admission.",
    "consumption-bypass": "The addresses of models, buckets and providers are known to their own clients only.",
    "writes-unknown": "writes names tables of supabase/migrations, auth or bucket.",
    "secret-unknown": "The secrets of GUARD are members of Secret.",
    "secret-missing": "GUARD lists the secrets that its own kind needs.",
    "secret-undeclared": "A function reads no secret that its GUARD does not list.",
    "secret-unused": "GUARD lists no secret that neither its kind nor the code needs.",
    "writes-missing": "writes names every table that the reached database functions write.",
    "writes-unused": "writes names no table that nothing reached from the function writes.",
    # handler
    "handler-missing": "Every function defines handler.",
    "handler-nested": "handler stands at the top level, under no condition.",
    "handler-repeated": "handler is defined once and stays as it is.",
    "handler-async": "handler is a plain function: Lambda would not await it.",
    "handler-decorators": "handler is decorated with @GUARD and nothing else.",
    "handler-parameters": "handler takes the request and nothing else.",
    "handler-referenced": "handler has no other name and no caller in its file.",
    "second-handler": "A file holds one thing that Lambda could call.",
    # the rest of the file
    "module-runs-code": "The import of a function runs guard(...) and what a closed grammar lists, nothing else.",
    "dynamic-code": "A function does nothing that cannot be read: no exec, no reflection, no patching.",
    "import-star": "Imports are named.",
    "import-relative": "Imports are absolute.",
    "import-function": "Functions do not import each other.",
    "import-verifier": "Only the guard layer verifies.",
    "import-guard-part": "A function imports from shared.guard itself, not from its parts.",
    "import-client": "Functions reach databases and networks through the rooms of shared/.",
    "import-environment": "Functions read settings through shared.settings, never the environment or files.",
    "import-machinery": "Functions neither start processes nor load code.",
    "import-package": "Functions import shared, pydantic and the harmless part of the standard library.",
    "import-roundabout": "A name is taken from the module that defines it, so that no module is a back way to another.",
    # shared/ and functions/
    "module-patched": "No module changes another: assignments reach plain names, self and values of their own.",
    "shared-dynamic": "No module runs text as code, or reaches into another by a text, a hook or a metaclass.",
    "environment-read": "Only shared/settings.py reads the environment.",
    "test-only": "What is for tests is used by tests only.",
    "logging-changed": "A function writes log lines; it changes no logger.",
    "stage-branch": "No code depends on the stage: what is tested is what runs.",
    "allowance-malformed": "An allowance is: file, code, and a reason.",
    "allowance-unneeded": "An allowance that fits nothing is taken out.",
    # serverless.yml
    "deployment-missing": "Every function is deployed.",
    "deployment-orphan": "Every deployed function is a file.",
    "deployment-unreadable": "The functions of serverless.yml stand there literally, each key once.",
    "deployment-hidden": "There is no way to a function, and no function, that its entry does not show.",
    "deployment-handler": "The deployed handler is the guarded one.",
    "deployment-events": "The events are those of the file's prefix.",
    "deployment-path": "The path is /<prefix>/<subject>.",
    "deployment-methods": "Routes and GUARD agree on the methods.",
    "deployment-options": "jwt functions have an OPTIONS route for browsers, others have none.",
    "internal-caller": "An internal function names the one function that invokes it, which is there.",
    "internal-holds": "An internal function has no secret, writes nothing and uses nothing up.",
    "internal-role": "The role of an internal function writes its log and may do nothing else.",
    "queue-mismatch": "The queue of the event, of GUARD and of the environment is one queue.",
    "queue-failures": "A queue's function reports which records failed; otherwise its failures count as done.",
    "schedule-secret": "A schedule carries the cron secret by reference.",
    "schedule-rests": "The schedule of a function that is built runs.",
    "timeout-short": "Lambda waits longer than the function's own deadline.",
    "timeout-long": "Lambda gives up before the caller does: 5 s for a webhook, 29 s over HTTP.",
    "setting-unknown": "The environment holds members of Setting only.",
    "setting-missing": "A setting that a function reads is in its environment.",
    "setting-mismatch": "A queue's setting holds the address of the queue of its name.",
    "template-form": "serverless.yml has the keys and forms of a closed grammar; an unknown one is refused.",
    "resource-form": "Each resource is of a known type, in the one form of that type.",
    "setting-form": "Each setting of serverless.yml has the one form of its name, each parameter its own.",
    "resource-missing": "Each queue has its own dead-letter queue, each bucket its policy, and both their times.",
    "alarm-bounds": "The threshold of an alarm lies within the written bounds of its metric.",
    "alarm-missing": "Each function, dead-letter queue and webhook has its alarms.",
    "role-form": "A statement of a role allows named actions on named resources.",
    "role-excess": "A role allows nothing that GUARD and the code do not need.",
    "role-missing": "A role allows all that GUARD and the code need.",
    # tests
    "row-missing": "Every function has a row of attacks.",
    "row-orphan": "Every row of attacks is a function.",
    "rows-unreadable": "ROWS is a literal dict of function names.",
    "matrix-missing": "Every function stands in the committed refusal matrix.",
    "matrix-orphan": "The committed refusal matrix names functions that exist.",
    "not-built-list": "The list of what is not built and the functions that say so are the same.",
    # waivers
    "waiver-malformed": "A waiver is: rule, file, expiry date within 90 days, and a reason.",
    "waiver-expired": "A waiver ends on its date.",
    "waiver-unneeded": "A waiver of nothing is taken out.",
}
