"""What is sent beside words, and a worker fetches or hands over: taken for a time, and settled once."""

from typing import Literal

from pydantic import BaseModel

from shared.clock import Deadline
from shared.data.budget_rows import BudgetFacts
from shared.data.database import call


class MediaClaim(BaseModel):
    """The answer to a claim of media; everything below `state` is there when it is "claimed".

    `reference` is WhatsApp's id of it or a page's address, None where the provider's item is gone, and of what
    `goes_out`, which lies in the bucket and has a `media_type` and `bytes` that were announced. What `is_late` has
    waited for a day, or for its file for an hour: it is not fetched or sent any more. The form of what `is_expired`
    takes no file any more.
    """

    state: Literal["claimed", "busy", "done", "absent"]
    fence: int = 0
    attempts: int = 0
    kind: str = ""
    reference: str | None = None
    goes_out: bool = False
    is_late: bool = False
    is_expired: bool = False
    media_type: str | None = None
    bytes: int | None = None
    channel_row: str = ""
    contact: str = ""
    budget: BudgetFacts | None = None


class FreedSend(BaseModel):
    """A row of the outbox that may leave now."""

    outbox: str
    conversation: str


def claim_media(tenant: str, media: str, seconds: int, deadline: Deadline) -> MediaClaim:
    """Take media to be fetched within `seconds`."""
    arguments = {"p_tenant": tenant, "p_media": media, "p_seconds": seconds}
    return MediaClaim.model_validate(call("claim_media", arguments, deadline))


def settle_media(
    tenant: str,
    media: str,
    fence: int,
    state: Literal["kept", "refused", "waiting"],
    deadline: Deadline,
    *,
    reason: str | None = None,
    media_type: str | None = None,
    size: int | None = None,
    reference: str | None = None,
) -> FreedSend | None:
    """What became of media: in the bucket under {tenant}/{media}, or why not; "waiting" gives it back.

    The row of the outbox that waited for it.
    """
    arguments = {
        "p_tenant": tenant,
        "p_media": media,
        "p_fence": fence,
        "p_state": state,
        "p_reason": reason,
        "p_media_type": media_type,
        "p_bytes": size,
        "p_reference": reference,
    }
    freed = call("settle_media", arguments, deadline)
    return FreedSend.model_validate(freed) if freed else None
