"""The two gates of the assistant: what a customer wrote before the model reads it, and what it wrote before it is sent.

Here a customer's text is opened to see whether they ask for a person, and the prompt's text to compare the answer with.
"""

import hmac
from collections.abc import Sequence
from datetime import UTC, datetime

from shared import clock
from shared.cloud.parameters import current
from shared.data.rows import Language, TenantFacts
from shared.safety import scan
from shared.safety.answers import CANARY_LETTERS, AnswerGuard, Facts
from shared.safety.canonical import canonical
from shared.safety.judged import JudgedLine, JudgedText, for_prompt
from shared.safety.scoring import words
from shared.settings import Secret
from shared.untrusted import Untrusted, for_judging

_PERSON = frozenset((
    "persona", "humano", "humana", "pessoa", "atendente", "alguien", "alguem", "dueno", "duena", "dono", "person",
    "human",
))  # fmt: skip
# What a customer hears whose words were blocked: nothing of why, and the way on.
NEUTRAL: dict[Language, str] = {
    "es": "Con eso no puedo ayudarte. ¿Te ayudo con algo de la tienda?",
    "pt": "Com isso não posso ajudar. Posso ajudar com algo da loja?",
    "en": "I can't help with that. Is there something about the shop I can help with?",
}


def asks_for_person(text: Untrusted) -> bool:
    """Whether somebody who is not answered any more asks for a person; the plain words for it are enough."""
    return not _PERSON.isdisjoint(words(canonical(for_judging(text))))


def is_safe(passage: str) -> bool:
    """Whether a passage of the business's knowledge holds no orders to the assistant."""
    return scan(passage).verdict != "block"


def canary(tenant: str) -> str:
    """96 bits that stand in the prompt of a business today and in no answer, as 32 letters.

    HMAC-SHA-256 (RFC 2104) under the model's key, which both who write a prompt hold, cut short.
    """
    today = datetime.fromtimestamp(clock.now(), UTC).date().isoformat()
    key = current(Secret.AI_API_KEY).encode()
    digest = hmac.digest(key, f"canary {tenant} {today}".encode(), "sha256")
    return "".join(CANARY_LETTERS[byte % len(CANARY_LETTERS)] for byte in digest)


def broken_rules(
    answer: str,
    instructions: str,
    tenant: TenantFacts,
    passages: Sequence[JudgedText],
    history: Sequence[JudgedLine],
    texts: Sequence[JudgedText],
    mark: str,
) -> tuple[str, ...]:
    """The rules of the output guard that an answer breaks, none when it may be sent."""
    said = [for_prompt(line.text) for line in history if line.author == "contact"] + list(map(for_prompt, texts))
    before = [for_prompt(line.text) for line in history if line.author != "contact"]
    facts = Facts(
        canary=mark,
        instructions=instructions,
        known="\n".join([tenant.name, tenant.hand_off_sentence, *map(for_prompt, passages)]),
        own="\n".join([tenant.instructions, *before]),
        said="\n".join(said),
    )
    return AnswerGuard(facts).broken_rules(answer, before)
