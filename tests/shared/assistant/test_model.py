"""The model client against answers of every kind: used, or refused by name, within its time."""

import json
import time

import httpx
import pytest

from shared.abuse.admission import Grant
from shared.assistant import model
from shared.assistant.model import DIMENSIONS, HAND_OFF, SEARCH, ModelAnswer, ModelFailed, complete, embed
from shared.clock import Deadline
from tests.outbound import answer_by

QUESTION = [{"role": "user", "content": "hola"}]


@pytest.fixture
def answering(monkeypatch):
    """Makes the endpoint answer what the test says: (status, body), or an exception."""
    monkeypatch.setattr(model, "current", lambda secret: "key")
    monkeypatch.setenv("AI_BASE_URL", "https://model.example/v1")
    monkeypatch.setenv("AI_MODEL", "gpt-4o-mini")
    monkeypatch.setenv("EMBEDDING_MODEL", "text-embedding-3-small")

    def set_answer(answer: tuple[int, object] | Exception) -> None:
        def handle(request: httpx.Request) -> httpx.Response:
            if isinstance(answer, Exception):
                raise answer
            status, body = answer
            return httpx.Response(status, content=body if isinstance(body, bytes) else json.dumps(body).encode())

        answer_by(monkeypatch, handle)

    return set_answer


def grant(**amounts: int) -> Grant:
    granted = {"ai_microdollars": 10_000, "ai_tokens": 10_000, "embedding_tokens": 10_000} | amounts
    return Grant("hold", granted, (), lambda ended: None)


def said(**message: object) -> dict[str, object]:
    return {"choices": [{"message": message}]}


def test_a_text_and_a_hand_off_are_understood(answering):
    answering((200, said(content=" hola ")))
    assert complete(QUESTION, grant(), Deadline(1)) == ModelAnswer("hola", hand_off=False)
    answering((200, said(content=None, tool_calls=[{"function": {"name": "hand_off", "arguments": "{}"}}])))
    assert complete(QUESTION, grant(), Deadline(1)) == ModelAnswer("", hand_off=True)


def test_what_no_database_holds_is_replaced_in_what_the_model_writes(answering):
    answering((200, said(content="ho\x00la \ud83d")))
    assert complete(QUESTION, grant(), Deadline(1)) == ModelAnswer("ho\ufffdla \ufffd", hand_off=False)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ((500, {}), "model_status_500"),
        ((429, {}), "model_status_429"),
        ((200, b"<html>"), "model_answer_malformed"),
        ((200, []), "model_answer_malformed"),
        ((200, {"choices": []}), "model_answer_malformed"),
        ((200, {"choices": [{"message": "text"}]}), "model_answer_malformed"),
        ((200, said(content="")), "model_answer_empty"),
        (httpx.ConnectError("away"), "model_connect_ConnectionRefusedError"),
        (httpx.ReadTimeout("slow"), "model_timeout"),
    ],
)
def test_what_cannot_be_used_has_a_name(answering, answer, name):
    answering(answer)
    with pytest.raises(ModelFailed) as caught:
        complete(QUESTION, grant(), Deadline(1))
    assert caught.value.name == name


@pytest.mark.parametrize(
    ("answer", "charged", "passes", "outcome"),
    [
        # Nothing left, so nothing is charged, and another attempt may fare better.
        (httpx.ConnectError("away"), 0, True, "failure"),
        # It may have been worked on.
        (httpx.ReadTimeout("slow"), 10_000, False, "failure"),
        ((200, b"x" * 300_000), 10_000, False, "failure"),
        ((200, b"<html>"), 10_000, False, "failure"),
        # It was refused.
        ((500, {}), 0, True, "failure"),
        ((401, {}), 0, False, "failure"),
        ((429, {}), 0, False, "neutral"),
        ((400, {}), 0, False, "neutral"),
    ],
)
def test_what_a_failure_costs_and_what_the_breaker_hears(answering, answer, charged, passes, outcome):
    answering(answer)
    held = grant()
    with pytest.raises(ModelFailed) as caught:
        complete(QUESTION, held, Deadline(1))
    assert (held.used["ai_microdollars"], held.used["ai_tokens"]) == (charged, charged)
    assert (caught.value.passes, held.outcomes) == (passes, {"chat:gpt-4o-mini": outcome})


def vectors(*lengths: int) -> dict[str, object]:
    entries = [{"index": place, "embedding": [float(place)] * length} for place, length in enumerate(lengths)]
    return {"data": entries[::-1]}


def with_number(text: bytes) -> bytes:
    """An answer that fits but for one number."""
    return json.dumps(vectors(DIMENSIONS, DIMENSIONS)).encode().replace(b"0.0", text, 1)


def test_vectors_come_back_in_the_order_of_the_texts(answering):
    answering((200, vectors(DIMENSIONS, DIMENSIONS)))
    assert [vector[0] for vector in embed(["a", "b"], grant(), Deadline(1))] == [0.0, 1.0]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": [{}]},
        vectors(DIMENSIONS),
        vectors(DIMENSIONS, 3),
        {"data": [{"index": 0, "embedding": "x"}]},
        with_number(b"NaN"),
        with_number(b"-Infinity"),
        with_number(b"1e999"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(answering, body):
    answering((200, body))
    with pytest.raises(ModelFailed) as caught:
        embed(["a", "b"], grant(), Deadline(1))
    assert caught.value.name == "embedding_malformed"


def test_a_model_that_hangs_is_given_up_at_the_deadline(world):
    world.script("model", mode="stall", seconds=20, times=1)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in world.variables["queue_reply"].items():
            patch.setenv(name, value)
        began = time.monotonic()
        with pytest.raises(ModelFailed) as caught:
            complete(QUESTION, grant(), Deadline(0.3))
    assert caught.value.name == "model_timeout"
    assert time.monotonic() - began < 5


def called(name: str, arguments: object) -> dict[str, object]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return said(content=None, tool_calls=[{"function": {"name": name, "arguments": text}}])


def test_a_search_is_understood_where_it_is_offered_and_nowhere_else(answering):
    answering((200, called("search_knowledge", {"query": " envíos "})))
    assert complete(QUESTION, grant(), Deadline(1), (HAND_OFF, SEARCH)) == ModelAnswer("", False, "envíos")
    assert complete(QUESTION, grant(), Deadline(1)) == ModelAnswer("", hand_off=True)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("transfer_money", {"query": "x"}),
        ("search_knowledge", {"query": "x", "tenant": "another"}),
        ("search_knowledge", {"query": ["x"]}),
        ("search_knowledge", {"query": "  "}),
        ("search_knowledge", {}),
        ("search_knowledge", "no JSON"),
        ("search_knowledge", "[]"),
        ("", {}),
    ],
)
def test_a_call_outside_the_contract_is_a_hand_off(answering, name, arguments):
    answering((200, called(name, arguments)))
    assert complete(QUESTION, grant(), Deadline(1), (HAND_OFF, SEARCH)) == ModelAnswer("", hand_off=True)


def test_two_searches_at_once_are_outside_it_too(answering):
    [one] = called("search_knowledge", {"query": "x"})["choices"][0]["message"]["tool_calls"]
    answering((200, said(content="", tool_calls=[one, one])))
    assert complete(QUESTION, grant(), Deadline(1), (HAND_OFF, SEARCH)) == ModelAnswer("", hand_off=True)
