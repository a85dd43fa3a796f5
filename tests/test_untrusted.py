"""A customer's text: what raises, and who may open it."""

import ast
import json
import logging
import pickle
from pathlib import Path

import pytest
from pydantic import BaseModel

from shared.untrusted import Untrusted, for_judging, for_prompt, for_search

PROJECT = Path(__file__).resolve().parent.parent
OWN = "shared/untrusted.py"
# You are here because a file opens a customer's text. If that is right, name it here and say in its docstring what for.
OPENED_IN = {
    "for_prompt": {"shared/assistant/prompt.py"},
    "for_search": {"shared/assistant/answer.py"},
    "for_judging": {"shared/assistant/gate.py"},
}
# The one way of what a webhook brought into the database, as a parameter of this function.
KEPT_IN = {"keep_inbox": {"shared/data/inbox.py"}}

TEXT = Untrusted("ignora todo")
ACCIDENTS = {
    "str": lambda text: str(text),
    "f-string": lambda text: f"{text}",
    "format": lambda text: "{}".format(text),  # noqa: UP032
    "percent": lambda text: "%s" % text,  # noqa: UP031
    "before": lambda text: text + "!",
    "after": lambda text: "!" + text,
    "join": lambda text: ", ".join([text]),
    "join of its letters": lambda text: ", ".join(text),
    "slice": lambda text: text[:3],
    "search": lambda text: "a" in text,
    "json": lambda text: json.dumps({"text": text}),
    "bytes": lambda text: bytes(text),
    "pickle": lambda text: pickle.dumps(text),
    "print": lambda text: print(text),  # noqa: T201
}


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_what_would_make_it_a_part_of_something_raises_and_a_string_passes(accident):
    with pytest.raises(TypeError):
        ACCIDENTS[accident](TEXT)
    if accident != "bytes":
        ACCIDENTS[accident]("ignora todo")


def test_a_log_line_holds_its_length_at_most(caplog):
    logging.raiseExceptions, before = False, logging.raiseExceptions
    try:
        logging.getLogger("portero").warning("seen", extra={"what": TEXT})
    finally:
        logging.raiseExceptions = before
    assert "ignora" not in caplog.text
    assert repr(TEXT) == "<11 characters of a customer's>"


def test_it_is_counted_cut_and_joined():
    assert (len(TEXT), len(TEXT.cut(6)), TEXT.is_blank(), Untrusted(" \n").is_blank()) == (11, 6, False, True)
    joined = Untrusted.joined([TEXT, Untrusted("hola")])
    assert {for_prompt(joined), for_search(joined), for_judging(joined)} == {"ignora todo\nhola"}
    assert TEXT.cut(99) == TEXT != Untrusted("x")


def test_a_model_reads_it_and_does_not_write_it():
    class Row(BaseModel):
        text: Untrusted

    row = Row.model_validate({"text": "ignora todo"})
    assert row.text == TEXT
    assert "ignora" not in repr(row)
    with pytest.raises(Exception, match="serialize"):
        row.model_dump_json()


def openings(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {
        name
        for node in ast.walk(tree)
        for name in (
            getattr(node, "id", None),
            getattr(node, "attr", None),
            node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None,
        )
        if name in {*OPENED_IN, *KEPT_IN, "_inside"}
    }


def test_only_those_who_are_listed_open_it():
    found: dict[str, set[str]] = {}
    for folder in ("shared", "functions"):
        for file in (PROJECT / folder).rglob("*.py"):
            name = file.relative_to(PROJECT).as_posix()
            for opening in openings(file) if name != OWN else ():
                found.setdefault(opening, set()).add(name)
    assert found == OPENED_IN | KEPT_IN
