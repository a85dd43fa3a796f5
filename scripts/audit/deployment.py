"""serverless.yml against the functions: file, GUARD and deployed entry are three witnesses that must agree."""

import ast
import re
from collections.abc import Iterator
from typing import Any

from scripts.audit.declared import EVENT_KINDS, Declared
from scripts.audit.facts import Facts
from scripts.audit.findings import Finding
from scripts.audit.guard_literal import METHODS
from scripts.audit.template import Section, Tag

FILE = "serverless.yml"
LEGAL_EVENTS: dict[str, set[str]] = {"queue": {"sqs"}, "cron": {"schedule"}, "internal": set()}
DEFAULT_TIMEOUT = 6  # seconds, osls's own
WEBHOOK_TIMEOUT = 5
HTTP_TIMEOUT = 29
# Other ways to call a function, or to have one, than its entry under `functions`.
HIDDEN_KEYS = ("url", "image", "layers", "fileSystemConfig")
HIDDEN_RESOURCES = re.compile(
    r"AWS::(Lambda::(Function|Url|Alias|Permission|EventSourceMapping|EventInvokeConfig)|ApiGateway(V2)?::"
    r"(Route|Integration|Method|Resource|RestApi|Api)|Serverless::.*)"
)
SETTINGS_OF_KIND = {"jwt": ("SUPABASE_URL", "ALLOWED_ORIGINS")}
RATE_SETTING = "UPSTASH_REDIS_REST_URL"
_SECRET_REFERENCE = re.compile(r"Bearer \{\{resolve:ssm(-secure)?:\S+\}\}")


def check_deployment(
    template: Section, names: set[str], declared: list[Declared], facts: Facts, trees: dict[str, ast.Module]
) -> Iterator[Finding]:
    """Everything about serverless.yml; `names` are the files of functions/, readable or not."""
    functions = template.get("functions")
    if not isinstance(functions, Section):
        message = "list the functions here, literally: no variable, no list of files"
        yield Finding(FILE, template.line_of("functions"), "deployment-unreadable", message)
        return
    for key, line in functions.repeated.items():
        message = f"keep one entry {key}: YAML silently takes the last"
        yield Finding(FILE, line, "deployment-unreadable", message)
    for name in sorted(names - functions.keys()):
        message = f"add functions/{name}.py here, or remove the file"
        yield Finding(FILE, template.line_of("functions"), "deployment-missing", message)
    for name in sorted(functions.keys() - names):
        message = f"remove {name}, or write functions/{name}.py"
        yield Finding(FILE, functions.line_of(name), "deployment-orphan", message)
    yield from _check_resources(template.get("resources"), template.line_of("resources"))
    provider = template.get("provider")
    yield from _check_provider(provider, facts)
    for function in declared:
        if function.name in functions:
            entry = _Entry(function, functions[function.name], functions.line_of(function.name), provider)
            yield from entry.check(facts, trees[function.name])


def _check_provider(provider: Any, facts: Facts) -> Iterator[Finding]:
    """What every function gets."""
    if not isinstance(provider, Section):
        return
    if "layers" in provider:
        message = "take out layers: they put code beside every function"
        yield Finding(FILE, provider.line_of("layers"), "deployment-hidden", message)
    yield from _check_settings(provider.get("environment"), facts)


def _check_resources(resources: Any, line: int) -> Iterator[Finding]:
    for part in resources if isinstance(resources, list) else [resources]:
        if not isinstance(part, Section | None):
            yield Finding(FILE, line, "deployment-unreadable", "write the resources here, literally")
        for block in ("Resources", "extensions"):
            inner = part.get(block) if isinstance(part, Section) else None
            if not isinstance(inner, Section):
                continue
            for name, resource in inner.items():
                kind = str(resource.get("Type", "")) if isinstance(resource, Section) else ""
                if HIDDEN_RESOURCES.fullmatch(kind) or name.endswith("LambdaFunction"):
                    message = f"remove {name}: it makes or changes a door behind the back of GUARD"
                    yield Finding(FILE, inner.line_of(name), "deployment-hidden", message)


def _check_settings(environment: Any, facts: Facts) -> Iterator[Finding]:
    """The names and queue addresses of one environment."""
    if not isinstance(environment, Section):
        return
    for name, value in environment.items():
        if name not in facts.settings:
            message = f"take out {name}, or add it to Setting in shared/settings.py"
            yield Finding(FILE, environment.line_of(name), "setting-unknown", message)
        yield from _check_queue_setting(name, value, environment.line_of(name))


class _Entry:
    """The entry of one function."""

    def __init__(self, function: Declared, entry: Any, line: int, provider: Any) -> None:
        self.function = function
        self.entry = entry if isinstance(entry, Section) else Section()
        if not isinstance(entry, Section):
            self.entry.line, self.entry.lines, self.entry.repeated = line, {}, {}
        self.line = line
        self.provider = provider if isinstance(provider, Section) else {}
        self.environment = {**_mapping(self.provider.get("environment")), **_mapping(self.entry.get("environment"))}

    def check(self, facts: Facts, tree: ast.Module) -> Iterator[Finding]:
        """Everything about one entry; what is read of it is noted in the declaration."""
        name = self.function.name
        for key, line in self.entry.repeated.items():
            yield Finding(FILE, line, "deployment-unreadable", f"keep one {key}: YAML silently takes the last")
        if self.entry.get("handler") != f"functions/{name}.handler":
            message = f"write handler: functions/{name}.handler"
            yield Finding(FILE, self._line("handler"), "deployment-handler", message)
        package = self.entry.get("package")
        artifact = package.get("artifact") if isinstance(package, Section) else None
        if artifact not in (None, f".package/{name}.zip"):
            message = f"write artifact: .package/{name}.zip"
            yield Finding(FILE, self._line("package"), "deployment-handler", message)
        for key in HIDDEN_KEYS:
            if key in self.entry:
                message = f"take out {key}: it makes a way to the function, or to other code, that GUARD does not name"
                yield Finding(FILE, self._line(key), "deployment-hidden", message)
        if self.function.kind == "internal":
            self.function.events.append(f"invoked by {self.function.options.get('caller')}")
            yield from self._check_nothing_held()
        yield from self._check_events()
        yield from self._check_timeout()
        yield from self._check_environment(facts, tree)

    def _check_nothing_held(self) -> Iterator[Finding]:
        """An internal function's role writes its log and may do nothing else."""
        for key, wanted in (("iamRoleStatementsInherit", False), ("iamRoleStatements", []), ("tracing", "PassThrough")):
            if self.entry.get(key) != wanted:
                message = f"write {key}: {str(wanted).replace('False', 'false')}: this function may do nothing in AWS"
                yield Finding(FILE, self._line(key), "internal-role", message)
        for key in ("role", "iamManagedPolicies", "vpc", "destinations"):
            if key in self.entry:
                yield Finding(
                    FILE, self._line(key), "internal-role", f"take out {key}: this function may do nothing in AWS"
                )

    def _line(self, key: str) -> int:
        return self.entry.lines.get(key, self.line)

    def _check_events(self) -> Iterator[Finding]:
        events = self.entry.get("events")
        line = self._line("events")
        legal = LEGAL_EVENTS.get(self.function.prefix, {"httpApi"})
        sources: list[tuple[str, Any, int]] = []
        for event in events if isinstance(events, list) else []:
            if not isinstance(event, Section) or len(event) != 1:
                yield Finding(FILE, line, "deployment-unreadable", "write each event as one source and its settings")
                continue
            source, settings = next(iter(event.items()))
            sources.append((source, settings, event.line_of(source)))
        for source, _, place in sources:
            if source not in legal:
                message = (
                    f"replace the {source} event: {self.function.prefix}_ has {' and '.join(sorted(legal)) or 'none'}"
                )
                yield Finding(FILE, place, "deployment-events", message)
        wanted = min(legal - {"httpApi"}, default="httpApi")
        if legal and wanted not in {source for source, _, _ in sources}:
            yield Finding(FILE, line, "deployment-events", f"add its event: {wanted}")
        yield from self._check_routes([(given, place) for source, given, place in sources if source == "httpApi"])
        for source, settings, place in sources:
            if source == "sqs":
                yield from self._check_queue(settings, place)
            elif source == "schedule":
                yield from self._check_schedule(settings, place)

    def _check_routes(self, routes: list[tuple[Any, int]]) -> Iterator[Finding]:
        function, methods = self.function, list[str]()
        for given, place in routes:
            method, path = _route(given)
            methods.append(method)
            if path != function.path:
                message = f"write path {function.path}: the file's name fixes it"
                yield Finding(FILE, place, "deployment-path", message)
        browser = function.kind == "jwt"
        if routes and ("OPTIONS" in methods) != browser:
            message = (
                "add a route OPTIONS: browsers ask first" if browser else "take out OPTIONS: no browser calls this"
            )
            yield Finding(FILE, self._line("events"), "deployment-options", message)
        served = [method for method in methods if method != "OPTIONS"]
        declared = {*function.methods}
        if function.kind not in EVENT_KINDS and declared and declared <= METHODS and sorted(served) != sorted(declared):
            said = " ".join(function.methods) or "none"
            message = f"route the methods of GUARD ({said}), each once; routed are: {' '.join(served) or 'none'}"
            yield Finding(FILE, self._line("events"), "deployment-methods", message)
        if served:
            function.events.append(f"{' '.join(served)} {function.path}")

    def _check_queue(self, settings: Any, place: int) -> Iterator[Finding]:
        function = self.function
        given = settings.get("arn") if isinstance(settings, Section) else settings
        # The file's name, which GUARD repeats.
        name = function.name.partition("_")[2]
        wanted = _queue_arn(name)
        function.events.append(f"sqs {given.text.removesuffix('.Arn') if isinstance(given, Tag) else given}")
        if given != wanted:
            message = f'write arn: !GetAtt {wanted.text}, the queue of queue("{name}")'
            yield Finding(FILE, place, "queue-mismatch", message)
        setting = f"{name.upper()}_QUEUE_ARN"
        if self.environment.get(setting) != wanted:
            message = f"write {setting}: !GetAtt {wanted.text}: the guard compares each record with it"
            yield Finding(FILE, self._line("environment"), "queue-mismatch", message)
        reports = settings.get("functionResponseType") if isinstance(settings, Section) else None
        if reports != "ReportBatchItemFailures":
            message = "add functionResponseType: ReportBatchItemFailures, or refused records count as done"
            yield Finding(FILE, place, "queue-failures", message)

    def _check_schedule(self, settings: Any, place: int) -> Iterator[Finding]:
        detailed = settings if isinstance(settings, Section) else {}
        self.function.events.insert(0, str(detailed.get("rate", settings)))
        if detailed.get("enabled") is False and self.function.built:
            yield Finding(FILE, place, "schedule-rests", "take out enabled: false: the function is built")
        given = detailed.get("input")
        authorization = given.get("authorization") if isinstance(given, Section) else None
        if not isinstance(authorization, str) or not _SECRET_REFERENCE.fullmatch(authorization):
            message = "give input.authorization: Bearer {{resolve:ssm:...}}, never the secret itself"
            yield Finding(FILE, place, "schedule-secret", message)

    def _check_timeout(self) -> Iterator[Finding]:
        timeout = self.entry.get("timeout", self.provider.get("timeout", DEFAULT_TIMEOUT))
        if not isinstance(timeout, int) or isinstance(timeout, bool):
            yield Finding(FILE, self._line("timeout"), "deployment-unreadable", "write timeout as a number of seconds")
            return
        self.function.timeout = timeout
        seconds = self.function.arguments.get("seconds")
        if isinstance(seconds, int | float) and timeout <= seconds:
            message = f"give more than the {seconds:g} seconds of GUARD, so that it answers before Lambda cuts it off"
            yield Finding(FILE, self._line("timeout"), "timeout-short", message)
        webhook = self.function.kind == "hmac"
        limit = WEBHOOK_TIMEOUT if webhook else HTTP_TIMEOUT
        if self.function.kind not in ("queue", "internal") and timeout > limit:
            waits = "a provider" if webhook else "API Gateway"
            message = f"give {limit} seconds at most: {waits} waits no longer"
            yield Finding(FILE, self._line("timeout"), "timeout-long", message)

    def _check_environment(self, facts: Facts, tree: ast.Module) -> Iterator[Finding]:
        yield from _check_settings(self.entry.get("environment"), facts)
        needed = {*SETTINGS_OF_KIND.get(self.function.kind, ()), *_settings_read(tree)}
        arguments = self.function.arguments
        if arguments.get("consumes") or (self.function.kind == "jwt" and arguments.get("rate")):
            needed.add(RATE_SETTING)
        for name in sorted(needed - self.environment.keys()):
            if not name.startswith("AWS_"):  # Lambda's own
                message = f"add {name}: the function or its guard reads it"
                yield Finding(FILE, self._line("environment"), "setting-missing", message)


def _check_queue_setting(name: str, value: Any, line: int) -> Iterator[Finding]:
    queue, _, ending = name.rpartition("_QUEUE_")
    wanted = {"ARN": _queue_arn(queue.lower()), "URL": Tag("Ref", f"{_camel(queue.lower())}Queue")}.get(ending)
    if queue and wanted is not None and value != wanted:
        yield Finding(FILE, line, "setting-mismatch", f"write {name}: !{wanted.name} {wanted.text}")


def _settings_read(tree: ast.Module) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Setting"
    }


def _route(given: Any) -> tuple[str, str]:
    """Method and path of `{method: POST, path: /x}` or `POST /x`."""
    if isinstance(given, Section):
        return str(given.get("method", "")).upper(), str(given.get("path", ""))
    method, _, path = str(given).partition(" ")
    return method.upper(), path.strip()


def _queue_arn(name: str) -> Tag:
    return Tag("GetAtt", f"{_camel(name)}Queue.Arn")


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, Section) else {}
