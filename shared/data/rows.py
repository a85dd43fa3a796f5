"""What is read of a business, whoever reads it: the server with its key, or a person with their own token.

Apart from both, so that who needs only the shape of a row does not load the module that holds the secret key.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from shared.untrusted import Untrusted

Language = Literal["es", "pt", "en"]


class TenantFacts(BaseModel):
    """What a turn needs to know of the business."""

    name: str
    language: Language
    instructions: str
    hand_off_sentence: str


class Standing(BaseModel):
    """Strikes of a contact that count now, the last of them, and whether only a member can end it."""

    strikes: int = 0
    last_at: datetime | None = None
    is_held: bool = False


class Said(BaseModel):
    """A line of a conversation. `id` is the message's; `verdict` was given by `filter_version` of the input filter."""

    author: Literal["contact", "assistant", "person"]
    text: Untrusted
    id: str = ""
    verdict: Literal["allow", "flag", "block"] | None = None
    filter_version: str | None = None


class Passage(BaseModel):
    """A piece of the business's knowledge. `distance` is the cosine distance to the question, 0 to 2."""

    body: str
    source: str
    distance: float


class Offered(BaseModel):
    """The row that waits for a file and the key it shall have, or why there is none."""

    file: str = ""
    object_key: str = ""
    refused: Literal["too_many"] | None = None


class OfferedMedia(BaseModel):
    """The media that waits for its file and the key it shall have, or why nothing may be sent."""

    media: str = ""
    object_key: str = ""
    refused: Literal["outside_window", "opted_out", "no_caption"] | None = None


class KeptMedia(BaseModel):
    """The key of an object that a customer sent, and what it is."""

    object_key: str
    media_type: str


class Replayed(BaseModel):
    """What is done again, and how it had ended."""

    id: str
    reason: str | None


class Written(BaseModel):
    """The outbox row of what a member wrote, or why nothing was written."""

    outbox: str | None = None
    refused: Literal["outside_window", "opted_out", "no_template", "too_long"] | None = None
