"""The Embedded Metric Format, as CloudWatch reads it, and that no dimension can hold a person."""

import ast
import json
import typing
from pathlib import Path
from typing import Any

import pytest

from shared import metrics
from shared.data import budget_rows, store
from shared.metrics import Call

PROJECT = Path(__file__).resolve().parent.parent.parent
CALLS = [
    Call("answered", 12),
    Call("refused", 1, "signature_wrong"),
    Call("sent", 250, queue_age_ms=1200),
    Call("refused", 3, "envelope_wrong", 10),
    Call("5491155550101", 3),
]


def line(call: Call) -> dict[str, Any]:
    document: dict[str, Any] = {"function": "queue_send", "guard": "queue", **call.members()}
    return document | {"_aws": json.loads(call.metadata(1_763_915_400_123))}


@pytest.mark.parametrize("call", CALLS)
def test_a_line_is_what_the_specification_asks_for(call, monkeypatch):
    monkeypatch.setenv("STAGE", "prod")
    document = line(call)
    assert document["_aws"]["Timestamp"] == 1_763_915_400_123
    for directive in document["_aws"]["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert directive["Namespace"] == "portero/prod"
        for dimensions in directive["Dimensions"]:
            assert all(isinstance(document[name], str) and document[name] for name in dimensions)
        for metric in directive["Metrics"]:
            assert metric["Unit"] in ("Count", "Milliseconds")
            assert type(document[metric["Name"]]) is int


def counted(call: Call) -> set[tuple[str, tuple[str, ...]]]:
    return {
        (metric["Name"], tuple(dimensions))
        for directive in line(call)["_aws"]["CloudWatchMetrics"]
        for dimensions in directive["Dimensions"]
        for metric in directive["Metrics"]
    }


def test_what_is_counted_of_a_call():
    of_all = {(name, (by,)) for name in ("calls", "refusals", "duration_ms") for by in ("function", "guard")}
    of_all.add(("calls", ("function", "outcome")))
    assert counted(Call("answered", 1)) == of_all
    assert counted(Call("refused", 1, "rate")) == of_all | {("refusals", ("function", "refusal"))}
    waited = {("queue_age_ms", ("function",)), ("queue_age_ms", ("guard",))}
    assert counted(Call("sent", 1, queue_age_ms=1)) == of_all | waited


def test_an_outcome_that_is_on_no_list_is_another():
    assert Call("5491155550101", 3).members()["outcome"] == "other"


def test_the_outcomes_are_those_of_the_store():
    literals = {
        *typing.get_args(store.Outcome),
        *typing.get_args(store.SendResult),
        *typing.get_args(store.TurnClaim.model_fields["state"].annotation),
        *typing.get_args(store.OutboxClaim.model_fields["state"].annotation),
    } - {"claimed", "quiet"}
    assert literals <= metrics.OUTCOMES, (
        "You are here because shared/data/store.py knows a new outcome: add it to OUTCOMES in shared/metrics.py."
    )


def test_the_name_of_a_refusal_is_written_out_where_it_is_raised():
    # A name out of a table of names is as closed as one that stands there.
    tables = {"_NAMES.get(type(error), 'token_invalid')"}
    found = []
    for path in sorted((PROJECT / "shared").rglob("*.py")) + sorted((PROJECT / "functions").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Refused":
                name = ast.unparse(node.args[0])
                found.append((path.name, node.lineno, isinstance(node.args[0], ast.Constant) or name in tables))
    assert len(found) > 40
    assert [place for *place, literal in found if not literal] == [], (
        "You are here because a refusal's name is a dimension of a metric (shared/metrics.py): write it out."
    )


def test_what_an_admission_notes_is_counted_with_its_call_and_with_no_other():
    with metrics.noting():
        metrics.note_denial("budget_spent")
        metrics.note_overdraft(7)
        metrics.note_overdraft(0)
        metrics.note_breaker("chat:gpt-4o-mini", "opened")
        metrics.note_alert("tenant.day.sends", 80)
        metrics.note_quarantine_full()
        found = counted(Call("refused", 1, "admission_denied"))
        document = line(Call("refused", 1, "admission_denied"))
        with metrics.noting():
            assert "denials" not in line(Call("answered", 1))
    assert ("denials", ("function", "denial")) in found
    for name in ("overdraft", "breakers_opened", "budgets_near", "quarantine_full"):
        # Without a dimension too: an alarm asks for all functions together.
        assert {(name, ("function",)), (name, ())} <= found
    assert (document["denial"], document["overdraft"]) == ("budget_spent", 7)
    assert document["breakers"] == "chat:gpt-4o-mini opened"
    assert "denials" not in line(Call("answered", 1))


def test_every_reason_of_a_denial_is_a_known_name():
    assert all(reason.isidentifier() for reason in typing.get_args(budget_rows.Reason))
