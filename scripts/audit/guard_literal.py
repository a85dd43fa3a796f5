"""GUARD as data: read from the syntax tree, and each of its values compared with what shared/guard takes."""

import ast
import re
from collections.abc import Iterator
from typing import Any

from scripts.audit.declared import EVENT_KINDS, KIND_OF, KINDS, Declared
from scripts.audit.facts import Facts, Signature
from scripts.audit.findings import Finding
from scripts.audit.source import nodes

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
STORE_DOWN = frozenset({"refuse", "degrade", "queue"})
# What a function may change beside tables.
OTHER_WRITES = frozenset({"auth", "bucket"})
# Lambda takes events of 6 MiB, and a binary body arrives in base64.
MAXIMUM_BODY = 6 * 1024 * 1024 * 3 // 4
MINIMUM_REASON = 3  # different words
_WORD = re.compile(r"[^\W\d_]{2,}")
# Without these the guard itself could not work.
SECRETS_OF_KIND = {"queue": ("QUEUE_KEY",), "cron": ("CRON_SECRET",)}
SECRETS_OF_SCHEME = {
    "meta": ("META_APP_SECRET",),
    "meta_signed_request": ("META_APP_SECRET",),
    "mercadopago": ("MERCADOPAGO_WEBHOOK_SECRET",),
    "paddle": ("PADDLE_WEBHOOK_SECRET",),
}
# Meta asks for it once, by GET, when a webhook is set up.
HANDSHAKE_SECRET = "META_VERIFY_TOKEN"
LEGACY_SECRET = "SUPABASE_JWT_SECRET"
RATE_SECRET = "UPSTASH_REDIS_REST_TOKEN"


# kind -> argument -> least and most. A number outside is a mistake or a weakening: change it here, with a reason.
BOUNDS: dict[str, dict[str, tuple[float, float]]] = {
    # A provider repeats what was not answered within some seconds. One environment admits `rate` calls a minute.
    "hmac": {"seconds": (1, 4.5), "rate": (60, 6000), "body_limit": (1024, 3 * 1024 * 1024)},
    # API Gateway waits 29 seconds. A person makes no more than two calls a second for a minute.
    "jwt": {"seconds": (1, 28), "rate": (1, 120), "body_limit": (256, 1024 * 1024), "fresh_totp": (30, 900)},
    # A schedule's function ends before its next run is retried.
    "cron": {"seconds": (1, 28), "rate": (0, 0), "body_limit": (0, 0)},
    # A claim lasts sixty seconds, so that a worker never outlives it.
    "queue": {"seconds": (1, 58), "rate": (0, 0), "body_limit": (0, 0)},
    # A monitor asks once a second; a page of one's own some times a minute.
    "public": {"seconds": (1, 4.5), "rate": (1, 60), "body_limit": (0, 16 * 1024)},
    # One function calls another of ours and waits for it.
    "internal": {"seconds": (1, 58)},
}
# Of `rates`: calls, and the seconds that they are counted over.
CALLS_BOUND, PERIOD_BOUND = (1, 1000), (1, 86_400)


class _Computed(Exception):
    """Something in GUARD is no literal; the argument is its line."""


def read_guard(file: str, name: str, statement: ast.Assign, facts: Facts) -> tuple[Declared | None, list[Finding]]:
    """The declaration, or None when it cannot be read, and what is wrong with how it is written."""
    call = statement.value
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "guard"):
        return None, [_computed(file, statement.lineno)]
    kind = call.args[0] if len(call.args) == 1 else None
    if not (isinstance(kind, ast.Call) and isinstance(kind.func, ast.Name)):
        return None, [_computed(file, statement.lineno)]
    if kind.func.id not in KINDS:
        message = f"declare one of {', '.join(sorted(KINDS))} in place of {kind.func.id}"
        return None, [Finding(file, kind.lineno, "kind-unknown", message)]
    findings: list[Finding] = []
    try:
        findings += _check_names(file, kind, kind.func.id, facts.signatures[kind.func.id])
        findings += _check_names(file, call, "guard", facts.signatures["guard"])
        options = _arguments(kind, facts.signatures[kind.func.id])
        arguments = _arguments(call, facts.signatures["guard"])
    except _Computed as computed:
        return None, [_computed(file, int(computed.args[0]))]
    arguments.pop("kind", None)
    lines = {keyword.arg: keyword.value.lineno for keyword in call.keywords if keyword.arg}
    return Declared(name, file, statement.lineno, kind.func.id, kind.lineno, options, arguments, lines), findings


def _computed(file: str, line: int) -> Finding:
    message = "write GUARD = guard(<kind>(...), ...) with literals only: the audit reads it, it does not run it"
    return Finding(file, line, "guard-computed", message)


def _check_names(file: str, call: ast.Call, name: str, signature: Signature) -> Iterator[Finding]:
    given = signature.order[: len(call.args)]
    if len(call.args) > len(signature.order):
        yield Finding(file, call.lineno, "guard-argument", f"{name}(...) takes {len(signature.order)} without a name")
    for keyword in call.keywords:
        if keyword.arg is None:
            raise _Computed(keyword.value.lineno)
        if keyword.arg not in signature.names:
            known = ", ".join(sorted(signature.names)) or "nothing"
            message = f"take out {keyword.arg}: {name}(...) takes {known}"
            yield Finding(file, keyword.value.lineno, "guard-argument", message)
        given.append(keyword.arg)
    for missing in sorted(signature.required - set(given)):
        yield Finding(file, call.lineno, "guard-argument", f"add {missing}: {name}(...) needs it")


def _arguments(call: ast.Call, signature: Signature) -> dict[str, Any]:
    """Name -> value. The first argument of guard(...), its kind, is no literal and is left to its own reading."""
    values = {}
    for name, node in zip(signature.order, call.args, strict=False):
        if name != "kind":
            values[name] = _literal(node)
    for keyword in call.keywords:
        values[str(keyword.arg)] = _literal(keyword.value)
    return values


def _literal(node: ast.expr) -> Any:
    """A constant, a tuple of constants, or a product of numbers (3 * 1024). Raises _Computed."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=elements):
            return tuple(_literal(element) for element in elements)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            factors = (_literal(left), _literal(right))
            if all(isinstance(factor, int) for factor in factors):
                return factors[0] * factors[1]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
    raise _Computed(node.lineno)


def check_guard(declared: Declared, facts: Facts) -> Iterator[Finding]:
    """The values of a declaration that could be read."""
    wanted = KIND_OF.get(declared.prefix)
    if wanted is not None and declared.kind != wanted:
        message = f"declare {wanted}(...): {declared.prefix}_ fixes it, or rename the file"
        yield Finding(declared.file, declared.kind_line, "kind-prefix", message)
    yield from _check_kind(declared, wanted, facts)
    yield from _check_values(declared, facts)
    yield from _check_secrets(declared, facts)


def _check_kind(declared: Declared, wanted: str | None, facts: Facts) -> Iterator[Finding]:
    file, line, options = declared.file, declared.kind_line, declared.options
    subject = declared.name.partition("_")[2]
    if declared.kind == "hmac" and options.get("scheme") not in facts.schemes:
        message = f"name one of {', '.join(sorted(facts.schemes))}"
        yield Finding(file, line, "scheme-unknown", message)
    elif wanted == "hmac" == declared.kind and declared.argument.split("_")[0] != subject.split("_")[0]:
        message = f"declare a scheme of {subject.split('_')[0]}, or name the file after {declared.argument}"
        yield Finding(file, line, "scheme-provider", message)
    if wanted == "queue" == declared.kind and options.get("name") != subject:
        message = f'declare queue("{subject}"), or name the file after the queue'
        yield Finding(file, line, "queue-mismatch", message)
    if declared.kind == "jwt" and options.get("fresh_totp") and not options.get("aal2"):
        yield Finding(file, line, "guard-argument", "add aal2=True: a fresh one-time code is a second factor")
    if declared.kind == "public":
        reason, rate = options.get("reason"), options.get("rate")
        if not isinstance(reason, str) or len({*_WORD.findall(reason.lower())}) < MINIMUM_REASON:
            yield Finding(file, line, "public-reason", "write down in a sentence why anybody may call this")
        if not _is_count(rate) or rate == 0:
            yield Finding(file, line, "public-rate", "give rate: calls a minute from one address, 1 or more")
    if declared.kind == "internal":
        yield from _check_internal(declared, facts)
    for name, value in options.items():
        if declared.kind == "jwt" and not (isinstance(value, bool) or (_is_count(value) and value > 0)):
            yield Finding(file, line, "guard-argument", f"give {name} as True or as a number of seconds")


def _check_internal(declared: Declared, facts: Facts) -> Iterator[Finding]:
    """It runs what nobody trusts, so it has nothing that could be taken."""
    caller = declared.options.get("caller")
    if not isinstance(caller, str) or caller == declared.name or not facts.has_function(caller):
        message = "name the one function of functions/ that invokes this one"
        yield Finding(declared.file, declared.kind_line, "internal-caller", message)
    for argument in ("secrets", "writes", "consumes", "rates", "rate", "body_limit"):
        if declared.arguments.get(argument):
            message = f"take {argument} out: an internal function has no secret, writes nothing and uses nothing up"
            yield Finding(declared.file, declared.line_of(argument), "internal-holds", message)


def _check_values(declared: Declared, facts: Facts) -> Iterator[Finding]:
    file, given = declared.file, declared.arguments
    methods = given.get("methods", ())
    if not isinstance(methods, tuple) or not set(methods) <= METHODS or len(set(methods)) < len(methods):
        message = f"give methods as a tuple of {', '.join(sorted(METHODS))}, each once"
        yield Finding(file, declared.line_of("methods"), "guard-methods", message)
    elif bool(methods) == (declared.kind in EVENT_KINDS):
        message = "take methods out: no HTTP request comes here" if methods else "say which methods it answers"
        yield Finding(file, declared.line_of("methods"), "guard-methods", message)
    yield from _check_bounds(declared)
    limit = given.get("body_limit", 0)
    if not _is_count(limit) or limit > MAXIMUM_BODY:
        message = f"give body_limit in bytes, at most {MAXIMUM_BODY} (Lambda's 6 MiB, in base64)"
        yield Finding(file, declared.line_of("body_limit"), "body-limit", message)
    if "seconds" in given and not (_is_number(given["seconds"]) and given["seconds"] > 0):
        yield Finding(file, declared.line_of("seconds"), "guard-argument", "give seconds as a number above 0")
    if not _is_count(given.get("rate", 0)):
        yield Finding(file, declared.line_of("rate"), "guard-argument", "give rate as calls a minute")
    elif declared.kind == "hmac" and not given.get("rate"):
        yield Finding(file, declared.kind_line, "webhook-rate", "give rate: calls a minute that one environment admits")
    if "store_down" in given and given["store_down"] not in STORE_DOWN:
        message = f"say one of {', '.join(sorted(STORE_DOWN))}"
        yield Finding(file, declared.line_of("store_down"), "store-down", message)
    writes = given.get("writes", ())
    if not isinstance(writes, tuple) or not all(isinstance(name, str) for name in writes):
        yield Finding(file, declared.line_of("writes"), "writes-unknown", "give writes as a tuple of names")
        return
    for name in writes if declared.built else ():
        if name not in facts.tables | OTHER_WRITES:
            message = f"take out {name}, or create the table in supabase/migrations"
            yield Finding(file, declared.line_of("writes"), "writes-unknown", message)


def _check_bounds(declared: Declared) -> Iterator[Finding]:
    # Zero, a negative number and a body beyond Lambda's limit have rules of their own.
    numbers = {**declared.arguments, **declared.options}
    for name, (least, most) in BOUNDS.get(declared.kind, {}).items():
        value: Any = numbers.get(name)
        is_beyond_lambda = name == "body_limit" and _is_number(value) and value > MAXIMUM_BODY
        if isinstance(value, int | float) and value > 0 and not is_beyond_lambda and not least <= value <= most:
            message = f"give {name} from {least:g} to {most:g} (BOUNDS in scripts/audit/guard_literal.py)"
            line = declared.line_of(name) if name in declared.arguments else declared.kind_line
            yield Finding(declared.file, line, "number-bounds", message)
    if declared.kind == "jwt" and not numbers.get("rate"):
        yield Finding(declared.file, declared.kind_line, "jwt-rate", "give rate: calls a minute of one person")
    rates = numbers.get("rates", ())
    for rate in rates if isinstance(rates, tuple) else ():
        bounds = zip(rate[1:], (CALLS_BOUND, PERIOD_BOUND), strict=False) if isinstance(rate, tuple) else ()
        if any(_is_number(value) and value > most for value, (_, most) in bounds):
            message = f"give at most {CALLS_BOUND[1]} calls, counted over at most {PERIOD_BOUND[1]} seconds"
            yield Finding(declared.file, declared.line_of("rates"), "number-bounds", message)


def _check_secrets(declared: Declared, facts: Facts) -> Iterator[Finding]:
    file, line = declared.file, declared.line_of("secrets")
    given = declared.arguments.get("secrets", ())
    if not isinstance(given, tuple) or not all(isinstance(name, str) for name in given):
        yield Finding(file, line, "guard-argument", "give secrets as a tuple of names")
        return
    for name in given:
        if name not in facts.secrets:
            yield Finding(file, line, "secret-unknown", f"take out {name}, or add it to Secret in shared/settings.py")
    for name in needed_secrets(declared):
        if name not in given:
            yield Finding(file, line, "secret-missing", f"add {name}: without it the guard cannot decide")


def needed_secrets(declared: Declared) -> list[str]:
    """The secrets without which the guard itself could not decide."""
    needed = [*SECRETS_OF_KIND.get(declared.kind, ()), *SECRETS_OF_SCHEME.get(declared.argument, ())]
    rate = declared.arguments.get("rate", 0)
    if (declared.kind == "jwt" and _is_count(rate) and rate) or declared.arguments.get("consumes"):
        needed.append(RATE_SECRET)
    if declared.kind == "jwt" and declared.options.get("legacy"):
        needed.append(LEGACY_SECRET)
    if declared.argument == "meta" and "GET" in declared.methods:
        needed.append(HANDSHAKE_SECRET)
    return needed


def check_uses(declared: Declared, tree: ast.Module) -> Iterator[Finding]:
    """Secret.X in the code is X in GUARD."""
    for node in nodes(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="Secret"), attr=name) if name not in declared.secrets:
                message = f"add {name} to the secrets of GUARD, or do without it"
                yield Finding(declared.file, node.lineno, "secret-undeclared", message)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
