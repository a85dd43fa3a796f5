"""Whether a message says no more than "stop writing to me", or "write to me again", in Spanish, Portuguese or English.

The whole message must say it: *quiero dar de baja mi pedido* is a customer.
"""

import unicodedata
from typing import Literal

LONGEST = 60
_OUT = frozenset((
    "baja", "darme de baja", "quiero darme de baja", "dame de baja", "darse de baja", "no me escriban mas",
    "no me escribas mas", "no quiero recibir mas mensajes", "no quiero mas mensajes", "no mas mensajes",
    "sair", "quero sair", "parar", "pare", "parem", "descadastrar", "descadastre me", "me descadastra",
    "nao quero mais receber mensagens", "nao quero receber mais mensagens", "nao me mande mais mensagens",
    "stop", "stop all", "stopall", "unsubscribe", "opt out", "optout", "stop messaging me", "stop texting me",
))  # fmt: skip
_IN = frozenset(("alta", "darme de alta", "volver", "volver a recibir", "voltar", "quero voltar", "start", "unstop"))


def wish_of(text: str) -> Literal["out", "in"] | None:
    """What a message as a whole asks for, whatever its case, accents and punctuation."""
    if len(text) > LONGEST:
        return None
    plain = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(char if char.isalnum() else " " for char in plain if not unicodedata.combining(char))
    said = " ".join(letters.split()).removesuffix(" por favor").removesuffix(" please")
    return "out" if said in _OUT else "in" if said in _IN else None
