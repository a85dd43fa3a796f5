"""Walk any object and answer a masked copy of it, with a bounded amount of work and without ever raising."""

from collections.abc import Iterable
from typing import Any, overload

from shared.privacy.keys import is_secret_name
from shared.privacy.masking import LONGEST, scrub_text
from shared.privacy.patterns import Pattern
from shared.privacy.shapes import MARK

DEEPEST = 24
MOST_ITEMS = 5_000
MOST_CHARACTERS = 4 * LONGEST

_DEEP, _MORE, _SAME = "[deeper]", "[more]", "[same object]"
# A short value is looked at together with its key: {"dni": 12345678}.
_SHORT = 48
_SEVEN_DIGITS = Pattern(r"[0-9](?:[ .()/-]{0,2}[0-9]){6}")


@overload
def scrub(value: str) -> str: ...
@overload
def scrub(value: object) -> Any: ...
def scrub(value: object) -> Any:
    """A copy of the value in which nothing personal and no secret is left; a string of its own is masked as text.

    Dictionaries, lists, tuples, sets, bytes and numbers keep their type unless they had to be masked; any other object
    becomes its masked repr. What is too deep, too much or its own part is replaced by a mark. Never raises.
    """
    if type(value) is str:
        return scrub_text(value)
    return _Walk().of(value, 0)


class _Walk:
    """One walk: what it may still spend, and where it stands."""

    def __init__(self) -> None:
        self._items = MOST_ITEMS
        self._characters = MOST_CHARACTERS
        self._above: set[int] = set()

    def of(self, value: object, depth: int, key: str = "") -> Any:
        """The masked copy of one value that stands under `key`."""
        self._items -= 1
        if self._items < 0:
            return _MORE
        try:
            if isinstance(value, (dict, list, tuple, set, frozenset)):
                return self._container(value, depth, key)
            return self._leaf(value, key)
        except Exception:  # its methods are not ours
            return f"[unprintable {type(value).__name__}]"

    def _container(self, value: Any, depth: int, key: str) -> Any:
        if depth >= DEEPEST:
            return _DEEP
        if id(value) in self._above:
            return _SAME
        self._above.add(id(value))
        try:
            if isinstance(value, dict):
                return self._dictionary(value, depth, key)
            return self._sequence(value, depth, key)
        finally:
            self._above.discard(id(value))

    def _dictionary(self, value: dict[Any, Any], depth: int, key: str) -> dict[Any, Any]:
        masked: dict[Any, Any] = {}
        named = value.get("name", value.get("key"))
        inherits = bool(key) and is_secret_name(key)
        for name, item in value.items():
            if self._items <= 0:
                masked[_MORE] = _MORE
                break
            own = _name(name)
            if own == "value" and isinstance(named, (str, bytes)):
                own = _name(named)
            masked_name = name if type(name) is str and _is_a_word(name) else self.of(name, depth + 1)
            masked[_free(masked_name, masked)] = self.of(item, depth + 1, key if inherits else own)
        return masked

    def _sequence(self, value: Any, depth: int, key: str) -> Any:
        items: Iterable[Any] = value
        if len(value) == 2 and isinstance(value, (list, tuple)):
            name = _name(value[0])
            if name and is_secret_name(name):
                items = (value[0],)
                second = self.of(value[1], depth + 1, name)
                return _plain_type(value)([self.of(value[0], depth + 1), second])
        masked = []
        for item in items:
            if self._items <= 0:
                masked.append(_MORE)
                break
            masked.append(self.of(item, depth + 1, key))
        return _plain_type(value)(masked)

    def _leaf(self, value: object, key: str) -> Any:
        if value is None or isinstance(value, bool):
            return value
        secret = bool(key) and is_secret_name(key)
        if isinstance(value, str):
            return self._string(str.__str__(value), key, secret)
        if isinstance(value, (bytes, bytearray, memoryview)):
            raw = bytes(value)
            text = raw.decode("utf-8", "surrogateescape")
            masked = self._string(text, key, secret)
            return raw if masked == text else masked.encode("utf-8", "surrogateescape")
        if isinstance(value, (int, float)):
            return self._number(value, key, secret)
        # These show all that they hold, so that they may stay what they are.
        open_hearted = type(value).__module__ in ("datetime", "decimal", "uuid")
        text = str(value) if open_hearted else repr(value)
        masked = self._string(text, key, secret)
        return value if open_hearted and masked == text else masked

    def _number(self, value: int | float, key: str, secret: bool) -> Any:
        if isinstance(value, int) and value.bit_length() > 512:
            return "[long number]"
        text = repr(value)
        if secret:
            return value if _counts(key) else MARK
        if len(text) < 7:
            return value
        masked = self._string(text, key, secret)
        return value if masked == text else masked

    def _string(self, text: str, key: str, secret: bool) -> str:
        if secret and text:
            return text if _is_mark(text) or (text.isdigit() and _counts(key)) else MARK
        if _is_a_word(text):
            return text
        if self._characters <= 0:
            return _MORE
        self._characters -= min(len(text), LONGEST)
        if key and len(text) <= _SHORT and key.isascii() and _SEVEN_DIGITS().search(text):
            with_key = f"'{key}': {text}"
            masked = scrub_text(with_key)
            opening = with_key[: len(with_key) - len(text)]
            if masked.startswith(opening):
                return masked[len(opening) :].strip('"') if masked != with_key else text
        return scrub_text(text)


def _plain_type(value: object) -> type:
    """The plain type to copy a sequence into: a subclass may want other arguments."""
    for plain in (list, tuple, frozenset):
        if isinstance(value, plain):
            return plain
    return set


def _is_a_word(text: str) -> bool:
    """Whether it is a short word of letters, as most names and many values are: no rule finds anything in one."""
    return len(text) <= 24 and text.replace("_", "").isalpha()


def _counts(key: str) -> bool:
    """Whether a number under this key tells how many: tokens, not token."""
    return key.lower().endswith("tokens")


def _is_mark(text: str) -> bool:
    return text == MARK or text in ("None", "null")


def _name(value: object) -> str:
    if isinstance(value, str):
        return value[:64]
    return value[:64].decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _free(name: Any, taken: dict[Any, Any]) -> Any:
    """Two telephones as keys are both `[phone]`: the second one is numbered."""
    if not isinstance(name, str) or name not in taken:
        return name
    return f"{name}#{len(taken)}"
