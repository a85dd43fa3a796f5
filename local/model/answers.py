"""What the simulated model says: the sentences of the passages it was given that fit the question."""

import math
import re
from collections import Counter
from typing import Any

from local.model.language import Language, detect_language, fold, sentences, terms, words
from local.payloads import Json

PASSAGE = re.compile(r"<passage\b[^>]*>(.*?)</passage>", re.DOTALL | re.IGNORECASE)
# Customer text stands between two lines that share a random word: <<customer 7f3a>> ... <<end 7f3a>>
CUSTOMER_BLOCK = re.compile(r"<<(?!end\b)[^<>\n]*?\b(\w+)>>(.*?)<<end\s+\1>>", re.DOTALL)
MARKER = re.compile(r"<<[^<>\n]*>>")

UNKNOWN: dict[Language, str] = {
    "es": "No tengo esa información.",
    "pt": "Não tenho essa informação.",
    "en": "I don't have that information.",
}
GREETING: dict[Language, str] = {
    "es": "¡Hola! ¿En qué te puedo ayudar?",
    "pt": "Olá! Como posso ajudar?",
    "en": "Hello! How can I help you?",
}
HANDED_OFF: dict[Language, str] = {
    "es": "Le aviso a una persona del equipo.",
    "pt": "Vou avisar uma pessoa da equipe.",
    "en": "I will let someone from the team know.",
}
GREETING_WORDS = frozenset(
    words("hola buenas buenos dias tardes noches ola oi bom boa dia tarde noite hello hi hey good morning")
)
ASKS_FOR_A_PERSON = re.compile(
    r"\b(hablar|falar|comunicar\w*|contactar\w*|speak|talk|chat|atienda|atenda|pasame|quiero|quero|need|want)\b"
    r".{0,30}\b(persona|pessoa|humano|humana|human|person|someone|agente|agent|atendente|asesor|vendedor|duen[oa])\b"
)


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or a list of parts of which the text ones count."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if isinstance(part, dict) and part.get("type") == "text")
    return ""


def question_of(messages: list[Json]) -> str:
    """What the customer asks: the last user message, without passages and without the lines that fence it in."""
    asked = [text_of(message.get("content")) for message in messages if message.get("role") == "user"]
    last = PASSAGE.sub("", asked[-1]) if asked else ""
    fenced = [block.group(2) for block in CUSTOMER_BLOCK.finditer(last)]
    return MARKER.sub("", "\n".join(fenced) if fenced else last).strip()


def passages_of(messages: list[Json]) -> list[str]:
    """Every <passage ...>text</passage> of the conversation, in order."""
    return [found.strip() for message in messages for found in PASSAGE.findall(text_of(message.get("content")))]


def answer(messages: list[Json]) -> str:
    """The one or two sentences of the passages that fit the question best, in their own words."""
    question = question_of(messages)
    language = detect_language(question)
    if question and set(words(question)) <= GREETING_WORDS:
        return GREETING[language]
    candidates = [candidate for passage in passages_of(messages) for candidate in _candidates(passage)]
    own_language = [candidate for candidate in candidates if detect_language(candidate[0]) == language]
    best = _best_sentences(question, own_language) or _best_sentences(question, candidates)
    return " ".join(best) or UNKNOWN[language]


def _candidates(passage: str) -> list[tuple[str, str]]:
    """Each sentence of a passage with the heading above it, which is no answer but says what the answer is about."""
    heading, found = "", []
    for sentence in sentences(passage):
        if sentence.startswith("#"):
            heading = sentence
        else:
            found.append((sentence.removeprefix("- "), heading))
    return found


def _best_sentences(question: str, candidates: list[tuple[str, str]]) -> list[str]:
    """The sentence with the rarest shared terms, and a second one if it covers what the first one leaves open."""
    bags = [set(terms(f"{heading} {sentence}")) for sentence, heading in candidates]
    frequency = Counter(term for bag in bags for term in bag)
    open_terms = set(terms(question))
    chosen: list[str] = []
    while len(chosen) < 2:
        scores = [sum(math.log(1 + len(bags) / frequency[term]) for term in bag & open_terms) for bag in bags]
        best = max(range(len(scores)), key=lambda index: scores[index], default=None)
        if best is None or scores[best] == 0:
            break
        chosen.append(candidates[best][0])
        open_terms -= bags[best]
    return chosen


def asks_for_a_person(question: str) -> bool:
    """Whether the customer clearly wants to talk to a person."""
    return ASKS_FOR_A_PERSON.search(fold(question)) is not None


def asks_for_notes(messages: list[Json]) -> bool:
    """Whether notes on a conversation are wanted, and no answer in it."""
    return "notes on a conversation" in text_of(messages[0].get("content"))


def notes_of(messages: list[Json]) -> str:
    """The first words of each thing that was said."""
    return " ".join(" ".join(line.split()[:12]) for line in question_of(messages).splitlines() if line.strip())
