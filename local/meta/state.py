"""What the simulated platform knows: which numbers exist, what was sent, and how it was told to misbehave."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from local import payloads
from local.meta.callbacks import Callbacks, StatusMode
from local.meta.rules import Windows
from local.payloads import Json


@dataclass(frozen=True)
class Number:
    """A business phone number and the WhatsApp Business Account that owns it.

    `access_token` is the only one that reaches it, as for a business that has not shared its account with the
    platform; None: the platform's tokens do.
    """

    waba_id: str = payloads.DEMO_WABA_ID
    display_number: str = payloads.DEMO_DISPLAY_NUMBER
    verified_name: str = "Demo"
    access_token: str | None = field(default=None, repr=False)


DEMO_NUMBERS: Mapping[str, Number] = {payloads.DEMO_NUMBER_ID: Number()}
DEMO_ACCOUNTS: Mapping[str, str] = {payloads.DEMO_PAGE_ID: "messenger", payloads.DEMO_INSTAGRAM_ID: "instagram"}


# Approved templates: name and language.
DEMO_TEMPLATES = frozenset({("seguimos_en_contacto", "es_AR")})


def demo_numbers(access_token: str) -> Mapping[str, Number]:
    """The demo shop's number, which its own token opens and no other."""
    return {payloads.DEMO_NUMBER_ID: Number(access_token=access_token)}


@dataclass(frozen=True)
class Sent:
    """One accepted message. `to` is the phone number without plus, or the user id; `time` is unix seconds."""

    id: str
    channel: str
    number_id: str
    to: str
    type: str
    text: str | None
    callback_data: str | None
    time: float
    message: Json


@dataclass(frozen=True)
class Misbehaviour:
    """What one call of the messages endpoint does instead of answering at once."""

    error: int | None = None
    stall_seconds: float = 0.0
    drop: bool = False


@dataclass
class Graph:
    """The state of the simulated platform. Everything runs in one event loop, so it needs no locks."""

    access_tokens: Sequence[str]
    callbacks: Callbacks
    clock: Callable[[], float]
    windows: Windows
    numbers: dict[str, Number]
    accounts: dict[str, str]  # page or Instagram account id -> channel
    enforces_limits: bool
    sent: list[Sent] = field(default_factory=list)
    misbehaviours: deque[Misbehaviour] = field(default_factory=deque)
    statuses: StatusMode = "normal"
    status_error: int = 131026
    subscribed: set[str] = field(default_factory=set)  # WABA ids
    media: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # id -> (mime type, content)
    refused: int = 0
    api_version: str = ""  # what is answered in place of what was asked for, once that has ended

    def knows(self, token: str) -> bool:
        """Whether somebody holds this access token."""
        return token in self.access_tokens or any(number.access_token == token for number in self.numbers.values())

    def opens(self, token: str, node: str) -> bool:
        """Whether a known token reaches a node. Media and the rest are not told apart by who owns them."""
        if node in self.accounts or node in self.numbers:
            own = self.numbers[node].access_token if node in self.numbers else None
            return token == own if own is not None else token in self.access_tokens
        return True
