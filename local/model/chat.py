"""One chat completion: an answer from the passages, a hand-off to a person, or obedience; counted and cut in tokens."""

import json
import secrets
import time

from local.model import tokens
from local.model.answers import (
    HANDED_OFF,
    answer,
    asks_for_a_person,
    asks_for_notes,
    notes_of,
    question_of,
    text_of,
)
from local.model.gullible import obey
from local.model.language import detect_language
from local.model.leaky import leak
from local.model.refusal import Refusal
from local.payloads import Json

HAND_OFF_TOOL = "hand_off"
# What a scripted model calls: what it is offered, or what nobody has offered it.
CALLS = {"search": "search_knowledge", "stray": "transfer_money"}
TOKENS_PER_MESSAGE = 4  # role and separators


def complete(asked: Json, *, mode: str) -> Json:
    """The body of a `chat.completion` for the request `asked`. Raises Refusal."""
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise Refusal(400, "'messages' must be a non-empty list of objects")
    message: Json = {"role": "assistant", "content": None, "refusal": None}
    question = question_of(messages)
    parameters = _hand_off_parameters(asked)
    if parameters is not None and messages[-1].get("role") != "tool" and asks_for_a_person(question):
        message["tool_calls"] = [_hand_off(parameters, question)]
        said, finish_reason = question, "tool_calls"
    elif mode in CALLS and (mode == "stray" or CALLS[mode] in _offered(asked)):
        message["tool_calls"] = [_call(CALLS[mode], {"query": question})]
        said, finish_reason = question, "tool_calls"
    else:
        limit = asked.get("max_completion_tokens") or asked.get("max_tokens")
        said, finish_reason = _say(messages, limit, mode)
        message["content"] = said
    return {
        "id": "chatcmpl-" + secrets.token_hex(12),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": asked["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}],
        "usage": _usage(messages, said),
    }


def _say(messages: list[Json], limit: int | None, mode: str) -> tuple[str, str]:
    """What the model says, and why it stopped."""
    obedience = obey(messages) if mode == "obey" else leak(messages) if mode == "leak" else None
    if obedience is not None:
        text = obedience
    elif asks_for_notes(messages):
        text = notes_of(messages)
    elif messages[-1].get("role") == "tool":
        text = HANDED_OFF[detect_language(question_of(messages))]
    else:
        text = answer(messages)
    if limit is None:
        return text, "stop"
    said, was_cut = tokens.cut(text, limit)
    return said, "length" if was_cut else "stop"


def _hand_off_parameters(asked: Json) -> Json | None:
    """The parameters' schema of the hand-off tool, or None when it is not offered."""
    if asked.get("tool_choice") == "none":
        return None
    return _offered(asked).get(HAND_OFF_TOOL)


def _offered(asked: Json) -> dict[str, Json]:
    """Parameters of the tools that may be called, by name."""
    functions = [tool.get("function") or {} for tool in asked.get("tools") or []]
    return {str(function.get("name")): function.get("parameters") or {} for function in functions}


def _hand_off(parameters: Json, question: str) -> Json:
    properties = parameters.get("properties") or {}
    arguments = {name: question for name, schema in properties.items() if schema.get("type") == "string"}
    arguments |= {name: schema["enum"][0] for name, schema in properties.items() if schema.get("enum")}
    return _call(HAND_OFF_TOOL, arguments)


def _call(name: str, arguments: Json) -> Json:
    return {
        "id": "call_" + secrets.token_hex(12),
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)},
    }


def _usage(messages: list[Json], said: str) -> Json:
    prompt = sum(tokens.count(text_of(message.get("content"))) + TOKENS_PER_MESSAGE for message in messages)
    completion = tokens.count(said)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
