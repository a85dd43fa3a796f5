"""One row a function that a person calls: a good body of a business's owner, and which of its fields name something.

A function that is not built yet answers 501 to everything. When it gets built its row fails, until real ids stand here.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple
from uuid import uuid4

from tests.isolation.sides import Side


class Built(NamedTuple):
    """`body(side)` is a good call of that business's owner, `ids` are the fields of it that name something.

    `control` says how the owner's own call is seen to work: the answer shows what is theirs, or their rows change.
    `owners_only`: an agent of the same business is refused like a stranger.
    """

    body: Callable[[Side], dict[str, Any]]
    ids: tuple[str, ...]
    control: Literal["shows", "changes"]
    owners_only: bool = False


class Unbuilt(NamedTuple):
    """501 whatever is asked."""


Row = Built | Unbuilt

ROWS: dict[str, Row] = {
    "ai_chat": Built(
        lambda side: {"tenant": str(side.tenant), "text": "¿qué hay en el menú?"},
        ids=("tenant",),
        control="shows",
    ),
    "ai_search": Built(
        lambda side: {"tenant": str(side.tenant), "text": "¿qué hay en el menú?"},
        ids=("tenant",),
        control="shows",
    ),
    "ai_suggest": Built(
        lambda side: {"tenant": str(side.tenant), "conversation": str(side.id(40))},
        ids=("tenant", "conversation"),
        control="shows",
    ),
    "app_channels": Built(
        lambda side: {
            "tenant": str(side.tenant),
            "channel": str(side.id(20)),
            "template": {"name": "seguimos", "language": "es_AR", "body": "Tenemos novedades para usted."},
        },
        ids=("tenant", "channel"),
        control="changes",
    ),
    "app_checkout": Unbuilt(),
    "app_delete_account": Unbuilt(),
    "app_export": Unbuilt(),
    "app_handoff": Built(
        lambda side: {"tenant": str(side.tenant), "conversation": str(side.id(40)), "to": "person"},
        ids=("tenant", "conversation"),
        control="changes",
    ),
    "app_members": Unbuilt(),
    "app_send": Built(
        lambda side: {
            "tenant": str(side.tenant),
            "conversation": str(side.id(40)),
            "idempotency_key": str(uuid4()),
            "text": "Ya le respondo.",
        },
        ids=("tenant", "conversation"),
        control="changes",
    ),
    "app_settings": Unbuilt(),
    "app_upload": Built(
        lambda side: {"tenant": str(side.tenant), "file": str(side.id(74))},
        ids=("tenant", "file"),
        control="changes",
    ),
    "app_usage": Built(
        lambda side: {"tenant": str(side.tenant), "from": "2026-11-01", "to": "2026-11-30"},
        ids=("tenant",),
        control="shows",
        owners_only=True,
    ),
    "app_replay": Built(
        lambda side: {"tenant": str(side.tenant), "what": "turns", "ids": [str(side.id(51))], "dry": False},
        ids=("tenant", "ids"),
        control="changes",
    ),
    "app_media": Built(
        lambda side: {"tenant": str(side.tenant), "media": str(side.id(182))},
        ids=("tenant", "media"),
        control="shows",
    ),
}
