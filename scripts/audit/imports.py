"""What a function may import: the standard library's harmless part, the rooms of shared/, and pydantic."""

import ast
import sys
from collections.abc import Iterator

from scripts.audit.facts import Facts
from scripts.audit.findings import Finding
from scripts.audit.shape import GUARD_NAMES
from scripts.audit.source import nodes

# Libraries, with those names in lower case that may be taken from them; a name in capitals may always be.
PACKAGES = {
    "pydantic": {"computed_field", "field_serializer", "field_validator", "model_serializer", "model_validator"}
}
# What of the standard library reaches neither files, processes, the network nor other code. Time is in the request.
HARMLESS = {
    *("__future__", "abc", "base64", "binascii", "bisect", "collections", "contextlib", "copy", "csv", "dataclasses"),
    *("datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "html", "itertools"),
    *("json", "logging", "math", "random", "re", "secrets", "statistics", "string", "struct", "textwrap", "typing"),
    *("unicodedata", "urllib.parse", "uuid", "zoneinfo"),
}
# Rule, what it concerns, what to do. The first that fits a module, or a parent of it, counts.
FORBIDDEN = {
    "import-function": ("functions", "put what both need into a room of shared/"),
    "import-verifier": (
        "shared.guard.verify hmac jwt cryptography jose authlib nacl mercadopago paddle_billing standardwebhooks",
        "declare the guard: shared/guard verifies",
    ),
    "import-guard-part": (
        "shared.guard.declaration shared.guard.kinds shared.guard.request shared.guard.response "
        "shared.guard.strict_json",
        "import from shared.guard; what it does not offer is not for functions",
    ),
    "import-client": (
        "shared.data.database shared.cloud.transport shared.cloud.aws shared.cloud.signature shared.cloud.parameters "
        "shared.cloud.sockets shared.cloud.http1 shared.cloud.upstash supabase postgrest gotrue "
        "storage3 psycopg asyncpg sqlalchemy sqlite3 redis upstash_redis boto3 botocore httpx requests aiohttp urllib3 "
        "http urllib.request socket ssl smtplib ftplib xmlrpc",
        "ask shared.data, or the room of shared/ that holds this client",
    ),
    "import-environment": (
        "os posix sys platform pathlib io tempfile dotenv shutil glob",
        "read a Setting through shared.settings",
    ),
    "import-machinery": (
        "importlib builtins subprocess multiprocessing threading ctypes inspect runpy pkgutil zipimport code codeop gc "
        "types marshal pickle shelve atexit signal ast dis site unittest logging.config operator timeit",
        "write it down as plain code",
    ),
}
# What a harmless module imports and so shows: `logging.os`.
_BACK_WAYS = sys.stdlib_module_names - HARMLESS


def check_imports(file: str, tree: ast.Module, facts: Facts) -> Iterator[Finding]:
    """Each import of a file, at any depth, and each module that is a way to another; a line breaks a rule once."""
    told: set[tuple[int, str]] = set()
    for finding in _all_findings(file, tree, facts):
        if (finding.line, finding.rule) not in told:
            told.add((finding.line, finding.rule))
            yield finding


def _all_findings(file: str, tree: ast.Module, facts: Facts) -> Iterator[Finding]:
    modules: dict[str, str] = {}
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _check_module(file, node.lineno, alias.name)
                first = alias.name.partition(".")[0]
                modules[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom):
            yield from _check_from(file, node, facts, modules)
    yield from _check_uses(file, tree, modules, facts)


def _check_uses(file: str, tree: ast.Module, modules: dict[str, str], facts: Facts) -> Iterator[Finding]:
    """`a.b` where `a` is a module: `b` is defined there, or is a module that may be imported. `a` is never a value."""

    def module_of(node: ast.expr) -> str | None:
        if isinstance(node, ast.Name):
            return modules.get(node.id)
        if not isinstance(node, ast.Attribute) or not (parent := module_of(node.value)):
            return None
        if parent.partition(".")[0] != "shared":
            # Modules of the standard library show those that they import.
            return node.attr if node.attr in sys.stdlib_module_names and node.attr != parent else None
        return f"{parent}.{node.attr}" if facts.module(f"{parent}.{node.attr}") else None

    for name in GUARD_NAMES | {"GUARD", "handler"}:  # other rules are about these
        modules.pop(name, None)
    looked_into = {id(node.value) for node in nodes(tree) if isinstance(node, ast.Attribute)}
    for node in nodes(tree):
        if isinstance(node, ast.Attribute) and (parent := module_of(node.value)):
            yield from _check_part(file, node.lineno, parent, node.attr, facts)
        if isinstance(node, ast.Name | ast.Attribute) and id(node) not in looked_into and module_of(node):
            yield Finding(file, node.lineno, "import-roundabout", "name what you use of the module, not the module")


def _check_from(file: str, node: ast.ImportFrom, facts: Facts, modules: dict[str, str]) -> Iterator[Finding]:
    if node.level:
        yield Finding(file, node.lineno, "import-relative", "write the whole name of the module")
        return
    source = node.module or ""
    harmless_parent = any(name.startswith(f"{source}.") for name in HARMLESS)
    found = [] if harmless_parent else list(_check_module(file, node.lineno, source))
    for alias in node.names:
        name = f"{source}.{alias.name}"
        if alias.name == "*":
            yield Finding(file, alias.lineno, "import-star", "name what you import: a star could bring another handler")
        elif facts.module(name) is not None and source.startswith("shared"):
            modules[alias.asname or alias.name] = name
            found += [] if found else _check_module(file, alias.lineno, name)
        elif harmless_parent:
            yield from _check_module(file, alias.lineno, name)
        elif not found:
            yield from _check_part(file, alias.lineno, source, alias.name, facts)
    yield from found


def _check_forbidden(file: str, line: int, module: str) -> Iterator[Finding]:
    for rule, (names, advice) in FORBIDDEN.items():
        if any(module == name or module.startswith(f"{name}.") for name in names.split()):
            yield Finding(file, line, rule, f"do without {module}: {advice}")
            return


def _check_module(file: str, line: int, module: str) -> Iterator[Finding]:
    forbidden = list(_check_forbidden(file, line, module))
    if not forbidden and module.startswith("shared.guard."):
        advice = "import from shared.guard; what it does not offer is not for functions"
        forbidden = [Finding(file, line, "import-guard-part", f"do without {module}: {advice}")]
    if forbidden:
        yield from forbidden
        return
    first = module.partition(".")[0]
    if (
        first == "shared"
        or module in PACKAGES
        or any(module == name or f"{name}." in f"{module}." for name in HARMLESS)
    ):
        return
    if first in sys.stdlib_module_names:
        message = f"do without {module}, or add it to HARMLESS in scripts/audit/imports.py and say why it is"
    else:
        message = f"do without {first}: a room of shared/ is the place for a library"
    yield Finding(file, line, "import-package", message)


def _check_part(file: str, line: int, module: str, name: str, facts: Facts) -> Iterator[Finding]:
    """`name` out of a module that may be imported itself."""
    ours = module.partition(".")[0] == "shared"
    forbidden = list(_check_forbidden(file, line, f"{module}.{name}"))
    if forbidden:
        yield from forbidden
    elif module in PACKAGES and not name[:1].isupper() and name not in PACKAGES[module]:
        message = (
            f"do without {name}, or add it to PACKAGES in scripts/audit/imports.py: it may be a module of {module}"
        )
        yield Finding(file, line, "import-package", message)
    elif (ours and not facts.offers(module, name)) or (not ours and name in _BACK_WAYS and name != module):
        message = f"take {name} from where it is defined, if it may be had: {module} does not define it"
        yield Finding(file, line, "import-roundabout", message)
