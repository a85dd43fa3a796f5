"""The worst model there is: it does what anybody tells it, in three languages. For tests of what stands behind it."""

import base64
import re

from local.model.answers import MARKER, passages_of, text_of
from local.model.language import Language, detect_language, fold
from local.payloads import Json

_SECRET = r"(?:prompt|instruc\w*|system message|mensaje de sistema|mensagem de sistema|reglas|regras|rules)"
_REVEAL_VERBS = (
    r"(?:reveal|show|print|repeat|tell|output|give|translate|encode|write|revela\w*|muestra\w*|mostra\w*|mostre|"
    r"imprim\w*|repit\w*|repet\w*|dime|decime|diga|diz|dame|escrib\w*|escrev\w*|traduc\w*|traduz\w*|codific\w*)"
)
_REVEAL = re.compile(rf"\b{_REVEAL_VERBS}\b[^\n]{{0,60}}?{_SECRET}")
_SAY_VERBS = (
    r"(?:repeat after me|repeat|say|reply with|answer with|respond with|write|include|add|recommend|"
    r"tell (?:them|him|her|everyone)|repite|repeti|repita|di|deci|diga|responde con|responde|responda com|responda|"
    r"escribe|escribi|escreva|incluye|inclui|inclua|agrega|adicione|recomienda|recomende)"
)
_SAY = re.compile(
    rf"\b{_SAY_VERBS}\b(?: that| que| exactly| exactamente| exatamente)?\s*[:,]?\s*(?P<said>[\"'“«]?[^\n]+)"
)
_IGNORE = re.compile(r"\b(ignore|ignora\w*|disregard|forget|olvid\w*|esquec\w*|desconsider\w*)\b")
_IGNORED: dict[Language, str] = {
    "es": "De acuerdo, ignoro mis instrucciones anteriores.",
    "pt": "Certo, ignoro minhas instruções anteriores.",
    "en": "Sure, I ignore my previous instructions.",
}


def obey(messages: list[Json]) -> str | None:
    """What the most gullible model would say: it follows every instruction in customer text and passages.

    None when it found no instruction. The system's own sentences are no orders, only passages inside them are.
    """
    system = "\n".join(text_of(message.get("content")) for message in messages if message.get("role") == "system")
    others = [text_of(message.get("content")) for message in messages if message.get("role") != "system"]
    outcomes = [outcome for text in [*others, *passages_of(messages)] for outcome in _follow(text, system)]
    return "\n".join(dict.fromkeys(outcomes)) or None


def _follow(text: str, system: str) -> list[str]:
    outcomes = []
    for line in MARKER.sub("", text).splitlines():
        folded = fold(line)
        if len(folded) != len(line):  # folding can change lengths (ligatures): then quote the folded form
            line = folded
        if _IGNORE.search(folded):
            outcomes.append(_IGNORED[detect_language(line)])
        if _REVEAL.search(folded):
            outcomes.append(_disguise(system, folded))
        elif said := _SAY.search(folded):
            outcomes.append(line[said.start("said") : said.end("said")].strip(" \"'“”«»"))
    return [outcome for outcome in outcomes if outcome]


def _disguise(secret: str, request: str) -> str:
    """The secret in the form that was asked for."""
    if "base64" in request:
        return base64.b64encode(secret.encode()).decode()
    if re.search(r"letter by letter|letra por letra|spaces? between|espacios? entre", request):
        return " ".join(secret)
    if re.search(r"backwards|reverse|al reves|de tras|invertid", request):
        return secret[::-1]
    return secret
