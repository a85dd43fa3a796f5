"""JSON that two readers cannot understand differently: no duplicate keys, no NaN, bounded depth and size of numbers."""

import json
import math
import re
from typing import Any, NoReturn

from shared.data.storable import repaired

MAXIMUM_DEPTH = 32
MAXIMUM_DIGITS = 32
_CONTAINERS = (dict, list)
# U+0000 and halves of surrogate pairs come through `parse` as escapes only.
_UNSTORABLE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


class Malformed(ValueError):
    """The bytes are not JSON as this suite accepts it."""


def parse(raw: bytes) -> Any:
    """The value that `raw` (UTF-8) holds.

    Raises Malformed for anything else: not UTF-8, not JSON, nested deeper than 32, duplicate keys in an object, NaN or
    Infinity, a number of more than 32 digits.
    """
    try:
        value = _DECODER.decode(raw.decode())
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise Malformed from None
    # What opens no more than so often is no deeper either.
    if raw.count(b"{") + raw.count(b"[") > MAXIMUM_DEPTH:
        _check_depth(value)
    return value


def parse_storable(raw: bytes) -> Any:
    """`parse`, repaired by the rule of shared/data/storable.py. Most bodies need no repair.

    Raises Malformed.
    """
    value = parse(raw)
    return repaired(value) if _UNSTORABLE.search(raw) else value


def _check_depth(value: Any) -> None:
    level = [value] if isinstance(value, _CONTAINERS) else []
    for _ in range(MAXIMUM_DEPTH):
        if not level:
            return
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, _CONTAINERS)
        ]
    if level:
        raise Malformed


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Malformed
    return result


def _constant(_: str) -> NoReturn:
    raise Malformed


def _integer(text: str) -> int:
    if len(text) > MAXIMUM_DIGITS:
        raise Malformed
    return int(text)


def _decimal(text: str) -> float:
    if len(text) > MAXIMUM_DIGITS:
        raise Malformed
    number = float(text)
    if math.isinf(number):
        raise Malformed
    return number


# json.loads would make one for every body.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_decimal
)
