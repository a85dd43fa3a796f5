"""The page that tells a person how the deletion of their data stands: plain HTML that loads nothing."""

from datetime import datetime
from html import escape
from typing import NamedTuple

from shared.data.deletions import Status

HEAD = """<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">"""


class Texts(NamedTuple):
    """One language. `asked` and `states` by the names of deletions.Status."""

    title: str
    asked: dict[str, str]
    states: dict[str, str]
    received: str
    settled: str
    unknown: str


TEXTS = {
    "es": Texts(
        title="Eliminación de datos",
        asked={
            "deletion": "Recibimos a través de Meta un pedido de eliminar tus datos.",
            "deauthorize": "Recibimos a través de Meta el aviso de que quitaste nuestra aplicación.",
        },
        states={
            "received": "Está en curso. No hace falta hacer nada más.",
            "done": "Terminado: tus datos fueron eliminados.",
            "nothing_found": "Terminado: no encontramos datos asociados a tu cuenta.",
            "refused": "No podemos eliminar los datos, porque la ley nos obliga a conservarlos durante un tiempo.",
        },
        received="Recibido",
        settled="Terminado",
        unknown="No conocemos este código. Tal vez falte una parte del enlace.",
    ),
    "pt": Texts(
        title="Exclusão de dados",
        asked={
            "deletion": "Recebemos pela Meta um pedido de exclusão dos seus dados.",
            "deauthorize": "Recebemos pela Meta o aviso de que você removeu o nosso aplicativo.",
        },
        states={
            "received": "Está em andamento. Não é preciso fazer mais nada.",
            "done": "Concluído: os seus dados foram excluídos.",
            "nothing_found": "Concluído: não encontramos dados ligados à sua conta.",
            "refused": "Não podemos excluir os dados, porque a lei nos obriga a guardá-los por um tempo.",
        },
        received="Recebido",
        settled="Concluído",
        unknown="Não conhecemos este código. Talvez falte uma parte do link.",
    ),
    "en": Texts(
        title="Data deletion",
        asked={
            "deletion": "Through Meta we received a request to delete your data.",
            "deauthorize": "Through Meta we learnt that you removed our app.",
        },
        states={
            "received": "This is in progress. There is nothing more to do.",
            "done": "Done: your data has been deleted.",
            "nothing_found": "Done: we found no data that belongs to your account.",
            "refused": "We cannot delete the data, because the law obliges us to keep it for some time.",
        },
        received="Received",
        settled="Settled",
        unknown="We do not know this code. A part of the link may be missing.",
    ),
}


def page(language: str, status: Status | None) -> str:
    """The page in `language` ("es", "pt" or "en"); without a status it says that the code is unknown."""
    texts = TEXTS[language]
    lines = [texts.unknown] if status is None else [texts.asked[status.kind], texts.states[status.state]]
    paragraphs = [f"<p>{escape(line)}</p>" for line in lines]
    if status is not None:
        moments = ((texts.received, status.received_at), (texts.settled, status.settled_at))
        paragraphs += [_moment(label, moment) for label, moment in moments if moment is not None]
    title, body = escape(texts.title), "\n".join(paragraphs)
    return (
        f'<!doctype html>\n<html lang="{escape(language)}">\n{HEAD}\n<title>{title}</title>\n'
        f"<h1>{title}</h1>\n{body}\n</html>\n"
    )


def _moment(label: str, moment: datetime) -> str:
    machine, person = moment.isoformat(timespec="seconds"), moment.strftime("%Y-%m-%d %H:%M %Z")
    return f'<p>{escape(label)}: <time datetime="{escape(machine)}">{escape(person)}</time></p>'
