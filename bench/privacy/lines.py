"""Log lines made from templates: `<v>` is a planted value, `<key>` its key, any other `<name>` a field to keep."""

import json
import re
from collections.abc import Iterator, Sequence
from html import unescape
from random import Random
from typing import NamedTuple
from urllib.parse import quote, unquote

from bench.privacy.credentials import HEADERS, KEYED, SHAPED
from bench.privacy.kept import KEPT
from bench.privacy.values import PERSONAL

_FIELD = re.compile(r"<([a-z]+)>")
_TWELVE = re.compile(r"[A-Za-z0-9ñéó]+")


class Line(NamedTuple):
    """One line. `kind` is "pii", "secret" or "" (nothing planted), `name` the class, `value` what is planted."""

    text: str
    kind: str
    name: str
    value: str
    kept: list[str]


class Templates(NamedTuple):
    """One set of templates. `hard` are (name, template) whose value is written by ENCODERS[name]."""

    personal: Sequence[str]
    shaped: Sequence[str]
    keyed: Sequence[str]
    headers: Sequence[str]
    hard: Sequence[tuple[str, str]]
    negative: Sequence[str]


def _twice(text: str) -> str:
    return json.dumps(json.dumps(text))[1:-1]


ENCODERS = {
    "plain": lambda text: text,
    "json": lambda text: json.dumps(text, ensure_ascii=True)[1:-1],
    "json twice": _twice,
    "url": lambda text: quote(text, safe=""),
    "url twice": lambda text: quote(quote(text, safe=""), safe=""),
    "html": lambda text: text.replace("&", "&amp;").replace('"', "&quot;").replace("+", "&#43;"),
    "repr": lambda text: repr(text)[1:-1],
    "bytes": lambda text: repr(text.encode())[2:-1],
}


def lines(templates: Templates, seed: int, each: int) -> Iterator[tuple[str, Line]]:
    """Pairs of a group ("ordinary", "hard", "negative") and a line: `each` lines a class."""
    rng = Random(seed)
    for name, make in PERSONAL.items():
        for _ in range(each):
            yield "ordinary", filled(rng, rng.choice(templates.personal), "pii", name, make(rng))
            where, template = rng.choice(templates.hard)
            yield "hard", filled(rng, template, "pii", name, make(rng), encoder=where)
    for name, make in SHAPED.items():
        for _ in range(each):
            yield "ordinary", filled(rng, rng.choice(templates.shaped), "secret", name, make(rng))
            where, template = rng.choice(templates.hard)
            yield "hard", filled(rng, template, "secret", name, make(rng), encoder=where)
    for makers, forms in ((KEYED, templates.keyed), (HEADERS, templates.headers)):
        for name, make in makers.items():
            for _ in range(each):
                yield "ordinary", filled(rng, rng.choice(forms), "secret", f"{name}:", make(rng), key=name)
    for _ in range(each * 25):
        yield "negative", filled(rng, rng.choice(templates.negative), "", "", "")


def filled(
    rng: Random, template: str, kind: str, name: str, value: str, *, key: str = "", encoder: str = "plain"
) -> Line:
    """The template with its fields made; in a JSON template (it opens with a brace) values are escaped for it."""
    kept: list[str] = []
    inside = "json" if template.startswith("{") and encoder == "plain" else encoder
    written = ENCODERS[inside](value)

    def field(found: re.Match[str]) -> str:
        if found[1] == "v":
            return written
        if found[1] == "key":
            return key
        if found[1] not in KEPT:
            return found[0]  # a tag of HTML
        made = KEPT[found[1]](rng)
        kept.append(made.strip('"'))
        return json.dumps(made)[1:-1] if template.startswith("{") else made

    return Line(_FIELD.sub(field, template), kind, name, value, kept)


def core(name: str, value: str) -> str:
    """What must not be seen of a value: its digits, the mailbox of an address, or its longest word."""
    if name == "wamid":
        return value[10:26]
    if name.startswith("email"):
        return max(_TWELVE.findall(re.split("@|%40|%2540", value.lower())[0]), key=len)
    if name.startswith(("phone", "wa_id", "jid", "dni", "card", "cpf", "cuit")) or name == "cnpj":
        return "".join(
            str(int(char)) for char in value.split("%2B")[-1].split("&#43;")[-1].removesuffix(".0") if char.isdecimal()
        )
    if name == "rut":
        return re.sub(r"\D", "", value[:-1])
    if name in ("ipv4", "ipv6", "cnpj letters", "hub.verify_token:"):
        return value
    return max(_TWELVE.findall(value.replace("\\n", "\n")), key=len).lower()


def leaks(name: str, value: str, seen: str) -> bool:
    """Whether eight digits or ten letters in a row of the core are still there, separators and escapes aside."""
    hidden = core(name, value)
    return any(_shows(hidden, name, value, text) for text in {seen, _unescaped(seen)})


def _shows(hidden: str, name: str, value: str, seen: str) -> bool:
    if hidden == value and not value.isdigit():
        return hidden in seen
    digits = hidden.isdigit()
    if digits:
        shown = "".join(str(int(char)) if char.isdecimal() else char for char in seen)
        shown = re.sub(r"(?<=\d)[^0-9A-Za-z\"]{1,9}(?=\d)", "", shown)
    else:
        shown = seen.lower() if name != "wamid" else seen
    size = min(8 if digits else 10, len(hidden))
    return any(hidden[place : place + size] in shown for place in range(len(hidden) - size + 1))


def _unescaped(seen: str) -> str:
    text = unescape(unquote(unquote(seen)))
    text = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    return re.sub(r"(?:\\+x[0-9a-fA-F]{2})+", lambda found: _bytes_of(found[0]), text)


def _bytes_of(escapes: str) -> str:
    return bytes.fromhex("".join(re.findall(r"x([0-9a-fA-F]{2})", escapes))).decode("utf-8", "replace")
