"""No line of the log is given a customer's words, and nothing goes around the log: read from the code, by its names.

Masking knows numbers, addresses and keys; it cannot know that "mi hija está enferma" is nobody's business. So a call of
a logger has a literal message, no format arguments, and an `extra` whose names are not those of texts and people.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
LEVELS = {"debug", "info", "warn", "warning", "error", "exception", "critical", "fatal", "log"}
LOGGER = re.compile(r"(^|[._])(log|logger|logging|calls|getLogger\(.*\))$", re.IGNORECASE)
CONTEXT = {"carry", "carrying"}
# What a variable, attribute or key is called, as a whole or between underscores, when it holds what people say or are.
WORDS = {
    *("text", "texts", "body", "message", "messages", "words", "caption", "transcript", "content", "chunk", "passage"),
    *("question", "reply", "answer", "prompt", "history", "raw", "item", "items", "payload", "event", "record"),
    *("phone", "email", "mail", "name", "recipient", "customer", "profile", "address", "ip", "user"),
    *("token", "key", "header", "headers", "cookie", "query", "url", "request", "response", "params"),
}
# Closed lists in spite of their names: problems are named in our code.
HARMLESS = {"problem.name", "refusal.name"}
# print() is ruff's to find (T20).
STREAMS = {"sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__", "warnings.warn"}
# Who may write to the process's streams.
WRITERS = {"shared/privacy/logs.py"}


def complaints(file: str, code: str) -> Iterator[str]:
    """What is wrong with the calls of loggers in a module."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            if node.func.attr in LEVELS and LOGGER.search(owner):
                yield from (f"{file}:{node.lineno}: {told}" for told in _of_call(node))
            elif node.func.attr in CONTEXT and owner == "logs":
                yield from (f"{file}:{node.lineno}: {told}" for told in _of_fields(node.keywords))
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in STREAMS and file not in WRITERS:
            yield f"{file}:{node.lineno}: log it instead of {ast.unparse(node)}"


def _of_call(call: ast.Call) -> Iterator[str]:
    arguments = call.args[1:] if isinstance(call.func, ast.Attribute) and call.func.attr == "log" else call.args
    if not arguments or not _is_literal(arguments[0]):
        yield "the message is a literal: what differs goes into extra, by its name"
    if len(arguments) > 1:
        yield "no format arguments: what differs goes into extra, by its name"
    for keyword in call.keywords:
        if keyword.arg == "extra":
            yield from _of_extra(keyword.value)
        elif keyword.arg not in ("exc_info", "stack_info", "stacklevel"):
            yield f"{keyword.arg} is nothing that a logger takes"


def _of_extra(extra: ast.expr) -> Iterator[str]:
    if not isinstance(extra, ast.Dict):
        yield "extra is written out as a dict, so that it can be read here"
        return
    for key, value in zip(extra.keys, extra.values, strict=True):
        # **known: the one place where the guard logs what a queue's or a schedule's function answered.
        if key is None and ast.unparse(value) != "known":
            yield "extra is written out, without **"
        yield from _of_value(value)
        if key is not None:
            yield from _of_value(key)


def _of_fields(fields: list[ast.keyword]) -> Iterator[str]:
    for field in fields:
        if field.arg and not field.arg.endswith("_id"):
            yield from _named(field.arg)


def _of_value(value: ast.AST) -> Iterator[str]:
    """Of `message.id` only `id` counts, and how long a text is may be said."""
    match value:
        case ast.Call(func=ast.Name(id="len")):
            return
        case ast.Attribute() if ast.unparse(value) in HARMLESS:
            return
        case ast.Name(id=name) | ast.Constant(value=str(name)):
            yield from _named(name)
        case ast.Attribute(value=ast.Name() | ast.Attribute(), attr=name):
            yield from _named(name)
        case ast.Attribute(value=inner, attr=name):
            yield from _named(name)
            yield from _of_value(inner)
        case _:
            for inner in ast.iter_child_nodes(value):
                yield from _of_value(inner)


def _named(name: str) -> Iterator[str]:
    if found := WORDS & set(name.lower().split("_")):
        yield f"{name} sounds like {', '.join(sorted(found))}: log its id, its count or its pseudonym"


def _is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.IfExp):
        return _is_literal(node.body) and _is_literal(node.orelse)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@pytest.mark.parametrize(
    "code",
    [
        'log.warning("not woken", extra={"queue": queue, "count": len(wakes)})',
        'log.error("credential unreadable", extra={"problem": problem.name})',
        'log.log(level, "database refused", extra={"code": known})',
        'log.error("fault", exc_info=error)',
        'log.info("kept" if kept else "known")',
        'logs.carry(contact=pseudonym("contact", claim.recipient.phone))',
        "with logs.carrying(request_id=identity, function=function): pass",
        'log.warning("kept", extra={"conversation": message.conversation_id, "length": len(message.text)})',
        "math.log(text)",
        "client.info(text)",
    ],
)
def test_these_may_be_logged(code):
    assert list(complaints("a.py", code)) == []


@pytest.mark.parametrize(
    "code",
    [
        "log.info(message)",
        'log.info(f"got {count}")',
        'log.info("got %s", count)',
        'log.info("got " + text)',
        'log.info("got {}".format(count))',
        "log.info()",
        'log.log(level, f"got {count}")',
        'log.warning("kept", extra={"text": "x"})',
        'log.warning("kept", extra={"what": message.text})',
        'log.warning("kept", extra={"what": turn.messages[0].text})',
        'log.warning("kept", extra={"whom": contact.phone_number})',
        'log.warning("kept", extra={"what": row["customer_email"]})',
        'log.warning("kept", extra={"what": str(payload)})',
        'log.warning("kept", extra={"what": [item for item in given]})',
        'log.warning("kept", extra={"who": user.name})',
        'log.warning("kept", extra={**response.body})',
        'log.warning("kept", extra=fields)',
        'log.warning("kept", body=1)',
        'logging.getLogger("x").error(reply)',
        "self._log.debug(raw)",
        "logger.exception(str(error))",
        "logs.carry(phone=phone)",
        "print(count, file=sys.stderr)",
        'sys.stdout.write("x")',
        'warnings.warn("x")',
    ],
)
def test_these_may_not(code):
    assert list(complaints("a.py", code))


def test_no_call_of_a_logger_is_given_what_people_say_or_are():
    paths = [path for folder in ("shared", "functions") for path in sorted((PROJECT / folder).rglob("*.py"))]
    assert len(paths) > 60
    found = [
        told for path in paths for told in complaints(str(path.relative_to(PROJECT)), path.read_text(encoding="utf-8"))
    ]
    assert found == [], (
        "You are here because a line of the log may hold a customer's words: log an id, a count, or a pseudonym "
        "(shared/privacy/pseudonyms.py). WORDS in this file says which names count."
    )
