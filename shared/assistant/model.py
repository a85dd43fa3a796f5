"""The model, behind any endpoint that speaks the OpenAI API (chat completions and embeddings).

One attempt, bounded by the caller's deadline; a retry would be another charge, so only the caller may decide on one.
Nothing is asked without a grant that pays for the dearest answer it can bring, and the grant hears what came of it.
"""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from shared.abuse.admission import Grant, Outcome
from shared.abuse.prices import TOKENS_OF_TOOLS, answer_tokens_for, cost, tokens_at_most
from shared.abuse.retries import seconds_asked
from shared.clock import Deadline
from shared.cloud import transport
from shared.cloud.parameters import current
from shared.data.storable import repaired
from shared.errors import Unavailable
from shared.settings import Secret, Setting, read, read_url

log = logging.getLogger("portero")

DIMENSIONS = 512
MAXIMUM_SECONDS = 20.0
MAXIMUM_TOKENS = 400
# Bytes. 400 tokens are some kilobytes; 64 vectors of 512 numbers of 22 characters are 800 KB.
MAX_ANSWER_BYTES, MAX_EMBEDDING_BYTES = 256 * 1024, 2 * 1024 * 1024
EMBEDDINGS_PER_CALL = 64
MAXIMUM_QUERY = 200  # characters
# A call that takes longer than this counts as slow to the breaker.
SLOW_SECONDS = 10.0


class ModelFailed(Unavailable):
    """The model did not answer, or not in a form that can be used. `passes`: another attempt may fare better."""

    def __init__(self, name: str, passes: bool = False) -> None:
        super().__init__(name)
        self.passes = passes


@dataclass(frozen=True)
class ModelAnswer:
    """`text` to say, or `hand_off` when the model asks for a person, or what it wants to `search` for."""

    text: str
    hand_off: bool
    search: str | None = None


Tool = dict[str, Any]

# What the model may call, bound to the business and the contact of the turn: neither takes an id.
HAND_OFF: Tool = {
    "type": "function",
    "function": {
        "name": "hand_off",
        "description": "Hand this conversation to a person of the business, when the customer asks for one or the "
        "business's knowledge does not answer.",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    },
}
SEARCH: Tool = {
    "type": "function",
    "function": {
        "name": "search_knowledge",
        "description": "Search the business's knowledge once more, in other words, when the passages do not answer.",
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string", "maxLength": MAXIMUM_QUERY}},
            "required": ["query"],
            "additionalProperties": False,
        },
    },
}


def embedding_breaker() -> str:
    """The name of the breaker for embeddings."""
    return f"embedding:{read(Setting.EMBEDDING_MODEL)}"


def chat_breaker() -> str:
    """The name of the breaker for answers."""
    return f"chat:{read(Setting.AI_MODEL)}"


def complete(
    messages: list[dict[str, str]], grant: Grant, deadline: Deadline, tools: Sequence[Tool] = (HAND_OFF,)
) -> ModelAnswer:
    """The model's answer to a prompt, no longer than the grant pays for. Raises ModelFailed.

    A call of anything but its `tools` is no answer: a person takes over.
    """
    model = read(Setting.AI_MODEL)
    prompt = tokens_at_most([message["content"] for message in messages]) + (TOKENS_OF_TOOLS if tools else 0)
    paid = answer_tokens_for(model, grant.left("ai_microdollars"), prompt)
    longest = min(MAXIMUM_TOKENS, paid, grant.left("ai_tokens") - prompt)
    if longest < 1:
        raise ModelFailed("model_hold_too_small")
    body: dict[str, Any] = {"model": model, "messages": messages, "max_tokens": longest, "temperature": 0.2}
    if tools:
        body["tools"] = list(tools)
    grant.dispatch("ai_microdollars", "ai_tokens")
    meters = ("ai_microdollars", "ai_tokens")
    answer = _post("/chat/completions", body, MAX_ANSWER_BYTES, chat_breaker(), meters, grant, deadline)
    asked, said = _usage(answer, "prompt_tokens"), _usage(answer, "completion_tokens")
    if asked is not None and said is not None:
        grant.spend(ai_microdollars=cost(model, asked, said), ai_tokens=asked + said)
    try:
        message = answer["choices"][0]["message"]
        calls = message.get("tool_calls") or []
        # What the model writes is kept and sent like anybody's words.
        text: str = repaired(str(message.get("content") or "").strip())
    except (KeyError, IndexError, TypeError, AttributeError):
        raise ModelFailed("model_answer_malformed") from None
    if calls:
        search = _sought(calls) if SEARCH in tools else None
        return ModelAnswer("", hand_off=search is None, search=search)
    if not text:
        raise ModelFailed("model_answer_empty")
    return ModelAnswer(text, hand_off=False)


def _sought(calls: Any) -> str | None:
    """What the model wants to search for, if that is all it calls and called rightly; None for a hand-off."""
    try:
        [function] = [call["function"] for call in calls]
        given = json.loads(function["arguments"])
        if function["name"] == "search_knowledge" and given.keys() == {"query"} and isinstance(given["query"], str):
            return repaired(given["query"].strip()[:MAXIMUM_QUERY]) or None
        name = function["name"]
    except (KeyError, TypeError, ValueError, AttributeError):
        name = ""
    if name != "hand_off":
        log.warning("tool call refused", extra={"count": len(calls)})
    return None


def embed(texts: list[str], grant: Grant, deadline: Deadline) -> list[list[float]]:
    """One vector of DIMENSIONS numbers for each text. Raises ModelFailed."""
    model = read(Setting.EMBEDDING_MODEL)
    vectors: list[list[float]] = []
    for first in range(0, len(texts), EMBEDDINGS_PER_CALL):
        batch = texts[first : first + EMBEDDINGS_PER_CALL]
        body = {"model": model, "input": batch, "dimensions": DIMENSIONS}
        grant.dispatch("ai_microdollars", "embedding_tokens")
        meters = ("ai_microdollars", "embedding_tokens")
        answer = _post("/embeddings", body, MAX_EMBEDDING_BYTES, embedding_breaker(), meters, grant, deadline)
        tokens = _usage(answer, "prompt_tokens")
        if tokens is None:
            # At the dearest, and not the whole hold: the answer that this is for is still to be paid.
            tokens = tokens_at_most(batch)
        grant.spend(ai_microdollars=cost(model, tokens), embedding_tokens=tokens)
        try:
            found = sorted(answer["data"], key=lambda entry: int(entry["index"]))
            vectors += [[float(number) for number in entry["embedding"]] for entry in found]
        except (KeyError, TypeError, ValueError):
            raise ModelFailed("embedding_malformed") from None
    if len(vectors) != len(texts) or any(len(vector) != DIMENSIONS for vector in vectors):
        raise ModelFailed("embedding_malformed")
    # NaN and infinity come through Python's reading of JSON, and no vector of the database holds them.
    if not all(isfinite(number) for vector in vectors for number in vector):
        raise ModelFailed("embedding_malformed")
    return vectors


def _usage(answer: dict[str, Any], name: str) -> int | None:
    """Tokens, as the provider counted them; None where it does not say, and then the hold is charged in full."""
    usage = answer.get("usage")
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _post(
    path: str,
    body: dict[str, Any],
    max_bytes: int,
    dependency: str,
    meters: tuple[str, ...],
    grant: Grant,
    deadline: Deadline,
) -> dict[str, Any]:
    """The provider's answer. What it refused, or never got, costs nothing; what it may have worked on is at risk."""
    begun = time.monotonic()
    url = f"{read_url(Setting.AI_BASE_URL)}{path}"
    headers = {"authorization": f"Bearer {current(Secret.AI_API_KEY)}", "content-type": "application/json"}
    try:
        response = transport.send(
            Setting.AI_BASE_URL,
            "POST",
            url,
            headers,
            json.dumps(body).encode(),
            min(MAXIMUM_SECONDS, deadline.remaining()),
            max_bytes=max_bytes,
            repeat=False,
        )
    except transport.NotSent as problem:
        grant.spend(**dict.fromkeys(meters, 0))
        grant.tell(dependency, "failure")
        raise ModelFailed(f"model_{transport.reason_of(problem)}", passes=True) from None
    except Unavailable as problem:
        grant.tell(dependency, "failure")
        raise ModelFailed(f"model_{transport.reason_of(problem)}") from None
    if response.status != 200:
        grant.spend(**dict.fromkeys(meters, 0))
        grant.tell(dependency, _outcome(response.status), seconds_asked(response.headers, response.status))
        raise ModelFailed(f"model_status_{response.status}", passes=response.status >= 500)
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        grant.tell(dependency, "failure")
        raise ModelFailed("model_answer_malformed")
    grant.tell(dependency, "slow" if time.monotonic() - begun > SLOW_SECONDS else "success")
    return answer


def _outcome(status: int) -> Outcome:
    """What a refusal says of the provider: too many calls is no failure, nor is a request of ours that is wrong."""
    return "failure" if status >= 500 or status in (401, 403) else "neutral"
