"""Just enough Spanish, Portuguese and English to find a shop's sentence that answers a customer's question."""

import re
import unicodedata
from typing import Literal

Language = Literal["es", "pt", "en"]


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


# Words that say nothing about the subject. The first three sets also tell the languages apart.
_FUNCTION_WORDS: dict[Language, str] = {
    "es": (
        "el la los las un una unos unas y o de del al en con por para que cual cuales como cuando donde cuanto es "
        "son esta estan hay tienen tiene tengo quiero puedo puede pueden ustedes usted mi su sus me te se lo le les "
        "muy mas si no pero porque ya hola buenas buenos dias tardes noches gracias quisiera saber necesito hacen "
        "hace algun alguna eso a"
    ),
    "pt": (
        "o a os as um uma uns umas e ou de do da dos das no na nos nas em com por para que qual quais como quando "
        "onde quanto e sao esta estao ha tem tenho quero posso pode podem voces voce meu minha seu sua me te se lhe "
        "muito mais sim nao mas porque ja ola oi bom boa dia tarde noite obrigado obrigada gostaria saber preciso "
        "fazem faz algum isso fica pelo pela pelos pelas ate uteis"
    ),
    "en": (
        "the a an and or of to in on at with by for that which what how when where is are there have has do does did "
        "i you we they my your our it me us very more yes no not but because can could would please hello hi good "
        "morning thanks thank want need know any some this be will from as if much many"
    ),
}
_SETS = {language: frozenset(_listed(words)) for language, words in _FUNCTION_WORDS.items()}
# Question words name their subject: where -> a place, how much -> a price.
_QUESTION_WORDS = frozenset({"donde", "onde", "where", "cuanto", "quanto", "much"})
STOPWORDS = frozenset().union(*_SETS.values()) - _QUESTION_WORDS

# What a shop is asked about: concept -> beginnings of the words for it, in the three languages, without accents.
_CONCEPTS = {
    "hours": "hora hour abrir abre abri abro abier abert open cierr cerra fecha close closing atiend atend",
    "price": "preci preco price cuest custa custo costa cost cuanto quanto much valor sale",
    "delivery": "envi entreg deliver ship reparto frete domicilio mandan",
    "payment": "pago paga pay tarjet cartao cartoes card transfer efectiv dinheiro cash pix cuota parcel",
    "place": "direcci enderec address ubica localiza donde onde where calle rua street",
    "return": "devol devuel cambi troca return exchang refund reembol",
    "offer": "descuent descont discount promo ofert offer",
    "booking": "turno reserv book agend appoint cita",
    "weekend": "sabado domingo saturday sunday finde weekend",
}
_PREFIXES = sorted(
    ((prefix, concept) for concept, prefixes in _CONCEPTS.items() for prefix in _listed(prefixes)),
    key=lambda pair: -len(pair[0]),
)
_SUFFIXES = _listed(
    "amientos imientos amiento imiento aciones acion acoes acao mente idades idad idade iendo ando endo indo ieron "
    "aron ados adas idos idas ado ada ido ida ingly ings ing edly ed eria arias aria ario es os as an en am em ar er "
    "ir s a o e"
)
_SHORTEST_STEM = 3


def fold(text: str) -> str:
    """Lower case without accents: "¿Qué Hórário?" -> "¿que horario?"."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def words(text: str) -> list[str]:
    """The words and numbers of a text, folded."""
    return re.findall(r"[a-z0-9]+", fold(text))


def stem(word: str) -> str:
    """The shop's concept that a folded word belongs to, or the word without its ending."""
    for prefix, concept in _PREFIXES:
        if word.startswith(prefix):
            return f"={concept}"
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST_STEM:
            return word.removesuffix(suffix)
    return word


def terms(text: str) -> list[str]:
    """What a text is about: the stems of its words, without function words."""
    return [stem(word) for word in words(text) if word not in STOPWORDS]


def detect_language(text: str) -> Language:
    """The language with the most function words in the text; letters of one language decide a tie; else Spanish."""
    found = words(text)
    scores: dict[Language, float] = {
        language: float(sum(word in known for word in found)) for language, known in _SETS.items()
    }
    scores["es"] += 0.5 * len(re.findall(r"[ñ¿¡]|ción\b", text.lower())) + 0.1
    scores["pt"] += 0.5 * len(re.findall(r"[ãõçêôà]", text.lower()))
    return max(scores, key=lambda language: scores[language])


def sentences(text: str) -> list[str]:
    """A text cut after its full stops, question marks, exclamation marks and line ends."""
    return [piece.strip() for piece in re.split(r"(?<=[.!?])\s+|\n+", text) if piece.strip()]
