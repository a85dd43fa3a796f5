"""Objects as they reach a log or an error report, with one value planted in each: deep, as key, as number, as bytes."""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

from bench.privacy.credentials import HEADERS, KEYED, SHAPED
from bench.privacy.kept import KEPT
from bench.privacy.lines import leaks
from bench.privacy.values import PERSONAL


class Planted(NamedTuple):
    """One object, what is planted in it, and the fields that must stay: the object opens with them."""

    whole: dict[str, Any]
    kind: str
    name: str
    value: str
    kept: dict[str, Any]


class Contact:
    """An object whose repr tells it."""

    def __init__(self, address: str) -> None:
        self.address = address

    def __repr__(self) -> str:
        """As a dataclass would."""
        return f"Contact(address={self.address!r}, attempts=2)"


Place = Callable[[str], Any]
ANYWHERE: tuple[Place, ...] = (
    lambda value: {"contact": value},
    lambda value: [{"a": [{"b": ({"c": value}, 1)}]}],
    lambda value: {value: {"count": 2}},
    lambda value: {"seen": {value, "x"}},
    lambda value: (1, value),
    lambda value: json.dumps({"entry": [{"changes": [{"value": {"contacts": [value]}}]}]}),
    lambda value: json.dumps({"body": json.dumps({"sender": value})}),
    lambda value: value.encode(),
    lambda value: {"body": f"x={value}&y=2".encode()},
    lambda value: Contact(value),
    lambda value: {"error": ValueError(f"no conversation for {value}")},
    lambda value: {"vars": {"event": repr({"path": value})}},
)
NUMBERS: tuple[Place, ...] = (
    lambda value: {"wa_id": int(value)},
    lambda value: {"to": [int(value), 7]},
    lambda value: {"seen": {int(value): 1}},
    lambda value: {"number": float(value)},
    lambda value: json.dumps({"contacts": [{"id": int(value)}]}),
)


def objects(seed: int, each: int) -> Iterator[Planted]:
    """`each` objects a class of value."""
    rng = Random(seed)
    for kind, makers in (("pii", PERSONAL), ("secret", SHAPED)):
        for name, make in makers.items():
            for _ in range(each):
                value = make(rng)
                places = NUMBERS if name == "wa_id" and rng.random() < 0.5 else ANYWHERE
                yield _planted(rng, kind, name, value, rng.choice(places)(value))
    for name, make in (KEYED | HEADERS).items():
        for _ in range(each):
            value = make(rng)
            forms: tuple[Any, ...] = (
                {name: value},
                {"request": {"headers": {"host": "x", name.upper(): value}}},
                [("host", "x"), (name, value)],
                {"vars": {"config": {name: [value, value]}}},
                {"multiValueHeaders": {name.title(): [value]}},
                json.dumps({"outer": {name: value}}),
                {"body": json.dumps({"deep": json.dumps({name: value})})},
                {name.encode(): value.encode()},
            )
            yield _planted(rng, "secret", f"{name}:", value, rng.choice(forms))


def _planted(rng: Random, kind: str, name: str, value: str, inner: Any) -> Planted:
    kept: dict[str, Any] = {f"field_{name}": KEPT[name](rng) for name in rng.sample(sorted(KEPT), 4)}
    kept |= {
        "status": rng.choice([200, 404, 503]),
        "duration_ms": rng.randint(1, 9000),
        "at": rng.randint(1_700_000_000, 1_900_000_000),
        "at_ms": rng.randint(1_700_000_000_000, 1_900_000_000_000),
        "ratio": rng.random(),
        "payment_id": rng.randint(10_000_000_000, 19_999_999_999),
        "input_tokens": rng.randint(1, 4000),
        "ok": True,
        "none": None,
    }
    return Planted(kept | {"data": inner}, kind, name, value, kept)


class ObjectScore(NamedTuple):
    """Recall over the planted values and damage of the fields to keep, in per cent; `failed` counts what was raised."""

    recall: float
    worst: tuple[float, str]
    lost: float
    failed: int


def evaluate_objects(mask: Callable[[dict[str, Any]], Any], planted: list[Planted]) -> ObjectScore:
    """Run a candidate over the objects. What it raises counts as an object that it left as it was."""
    caught: dict[str, list[int]] = {}
    lost = fields = failed = 0
    for one in planted:
        try:
            seen = mask(one.whole)
        except Exception:
            seen, failed = one.whole, failed + 1
        count = caught.setdefault(one.name, [0, 0])
        count[0] += not leaks(one.name, one.value, repr(seen))
        count[1] += 1
        lost += sum(seen.get(name, ...) != value for name, value in one.kept.items())
        fields += len(one.kept)
    rates = [(100.0 * found / total, name) for name, (found, total) in caught.items()]
    whole = 100.0 * sum(found for found, _ in caught.values()) / sum(total for _, total in caught.values())
    return ObjectScore(whole, min(rates), 100.0 * lost / fields, failed)
