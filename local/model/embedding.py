"""Embeddings without a model: hashed stems and letter trigrams, so that related texts lie close together."""

import base64
import math
import struct
from collections import defaultdict
from hashlib import blake2b

from local.model.language import terms, words

DIMENSIONS = 1536
CONCEPT_WEIGHT = 2.0  # a word of the shop's vocabulary says more than another word
TRIGRAM_WEIGHT = 0.25


def embed(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """A unit vector of `dimensions` numbers; the same text always gives the same vector."""
    weights: defaultdict[str, float] = defaultdict(float)
    for term in terms(text):
        weights[term] += CONCEPT_WEIGHT if term.startswith("=") else 1.0
    for word in words(text):
        padded = f" {word} "
        for start in range(len(padded) - 2):
            weights["#" + padded[start : start + 3]] += TRIGRAM_WEIGHT
    vector = [0.0] * dimensions
    for feature, weight in weights.items():
        hashed = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest())
        # The sign keeps the sum of colliding features near zero.
        vector[(hashed >> 1) % dimensions] += weight if hashed & 1 else -weight
    length = math.sqrt(sum(value * value for value in vector))
    if length == 0:
        vector[0] = length = 1.0  # a text without words still needs a direction
    return [round(value / length, 7) for value in vector]


def as_base64(vector: list[float]) -> str:
    """The little-endian float32 form that clients ask for with `encoding_format: base64`."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
