"""The model, behind any endpoint that speaks the OpenAI API (chat completions and embeddings).

One attempt, bounded by the caller's deadline; a retry would be another charge, so only the caller may decide on one.
"""

from dataclasses import dataclass
from functools import cache
from math import isfinite
from typing import Any

import httpx

from shared.clock import Deadline
from shared.cloud.parameters import current
from shared.data.storable import repaired
from shared.errors import Unavailable
from shared.settings import Secret, Setting, read

DIMENSIONS = 512
MAXIMUM_SECONDS = 20.0
MAXIMUM_TOKENS = 400
EMBEDDINGS_PER_CALL = 64


class ModelFailed(Unavailable):
    """The model did not answer, or not in a form that can be used."""


@dataclass(frozen=True)
class ModelAnswer:
    """`text` to say, or `hand_off` when the model asks for a person."""

    text: str
    hand_off: bool


_HAND_OFF = {
    "type": "function",
    "function": {
        "name": "hand_off",
        "description": "Hand this conversation to a person of the business, when the customer asks for one or the "
        "business's knowledge does not answer.",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    },
}


def complete(messages: list[dict[str, str]], deadline: Deadline) -> ModelAnswer:
    """The model's answer to a prompt. Raises ModelFailed."""
    answer = _post(
        "/chat/completions",
        {
            "model": read(Setting.AI_MODEL),
            "messages": messages,
            "max_tokens": MAXIMUM_TOKENS,
            "temperature": 0.2,
            "tools": [_HAND_OFF],
        },
        deadline,
    )
    try:
        message = answer["choices"][0]["message"]
        calls = message.get("tool_calls") or []
        # What the model writes is kept and sent like anybody's words.
        text: str = repaired(str(message.get("content") or "").strip())
    except (KeyError, IndexError, TypeError, AttributeError):
        raise ModelFailed("model_answer_malformed") from None
    if any(call.get("function", {}).get("name") == "hand_off" for call in calls):
        return ModelAnswer("", hand_off=True)
    if not text:
        raise ModelFailed("model_answer_empty")
    return ModelAnswer(text, hand_off=False)


def embed(texts: list[str], deadline: Deadline) -> list[list[float]]:
    """One vector of DIMENSIONS numbers for each text. Raises ModelFailed."""
    vectors: list[list[float]] = []
    for first in range(0, len(texts), EMBEDDINGS_PER_CALL):
        batch = texts[first : first + EMBEDDINGS_PER_CALL]
        body = {"model": read(Setting.EMBEDDING_MODEL), "input": batch, "dimensions": DIMENSIONS}
        answer = _post("/embeddings", body, deadline)
        try:
            found = sorted(answer["data"], key=lambda entry: int(entry["index"]))
            vectors += [[float(number) for number in entry["embedding"]] for entry in found]
        except (KeyError, TypeError, ValueError):
            raise ModelFailed("embedding_malformed") from None
    if len(vectors) != len(texts) or any(len(vector) != DIMENSIONS for vector in vectors):
        raise ModelFailed("embedding_malformed")
    # NaN and infinity come through httpx's reading of JSON, and no vector of the database holds them.
    if not all(isfinite(number) for vector in vectors for number in vector):
        raise ModelFailed("embedding_malformed")
    return vectors


def _post(path: str, body: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
    try:
        response = _connections().post(
            f"{read(Setting.AI_BASE_URL)}{path}",
            headers={"authorization": f"Bearer {current(Secret.AI_API_KEY)}"},
            json=body,
            timeout=httpx.Timeout(min(MAXIMUM_SECONDS, deadline.remaining()), connect=1.0),
        )
    except httpx.HTTPError as error:
        raise ModelFailed(f"model_{type(error).__name__}") from None
    if response.status_code != 200:
        raise ModelFailed(f"model_status_{response.status_code}")
    try:
        answer = response.json()
    except ValueError:
        raise ModelFailed("model_answer_malformed") from None
    if not isinstance(answer, dict):
        raise ModelFailed("model_answer_malformed")
    return answer


@cache
def _connections() -> httpx.Client:
    return httpx.Client()
