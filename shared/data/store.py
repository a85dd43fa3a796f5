"""The server's short list of database functions, each a typed call. Every call names its tenant.

All raise Unavailable when the database is away or refuses, and ClaimLost where a claim's fence is checked.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from shared.clock import Deadline
from shared.data.budget_rows import BudgetFacts
from shared.data.database import call
from shared.data.rows import Passage, Replayed, Said, Standing, TenantFacts
from shared.untrusted import Untrusted

Outcome = Literal[
    "replied",
    "merged",
    "handed_to_person",
    "opted_out",
    "over_budget",
    "outside_window",
    "outside_hours",
    "blocked",
    "looped",
    "unsupported",
    "failed",
]
# No more messages, or messages again.
Wish = Literal["out", "in"]
# A "notice" goes to whom said stop all the same; a "template" to whom nothing else may be sent; a "neutral" reply is
# counted, since it answers a blocked message.
ReplyKind = Literal["text", "neutral", "notice", "template"]
SendResult = Literal["sent", "unconfirmed", "later", "failed"]


class OpenMessage(Said):
    """A customer's message without an outcome yet."""

    author: Literal["contact", "assistant", "person"] = "contact"
    inbox_id: str
    kind: str
    is_forwarded: bool = False


class Pace(BaseModel):
    """Replies of the last hour, and how many of the contact's last eight messages came faster than people write.

    `neutral` counts the neutral replies among those, which answer blocked messages.
    """

    replies: int = 0
    quick: int = 0
    neutral: int = 0


class Older(BaseModel):
    """Lines that the summary is to tell from now on, and the time of the last of them."""

    until: datetime
    lines: list[Said]


class Judged(BaseModel):
    """Verdicts of one version of the input filter, by message id, and the one of the reply."""

    filter_version: str
    messages: dict[str, str]
    reply: str | None


class TurnClaim(BaseModel):
    """The answer to a claim; everything below `wait` is there when it is "claimed".

    `wait` in seconds while it is "quiet": the customer may be writing on. `contact` and `channel_row` are our own ids;
    `budget` is what an admission needs to know; `wish` is what the contact asked for in this turn; `attempts`
    counts the turns that took these messages up, this one too; `template` is what may still be said after 24 hours,
    `away_sentence` what is said outside the hours of the assistant. `summary` tells what was said before `history`,
    until `summarised_until`; `media` are the ids of what is to be fetched.
    """

    state: Literal["claimed", "quiet", "busy", "nothing", "absent"]
    wait: float = 0.0
    fence: int = 0
    messages: list[OpenMessage] = []
    history: list[Said] = []
    channel: Literal["whatsapp", "instagram", "messenger"] = "whatsapp"
    handled_by: Literal["assistant", "person"] = "assistant"
    last_inbound_at: datetime | None = None
    tenant: TenantFacts | None = None
    budget: BudgetFacts | None = None
    standing: Standing = Standing()
    pace: Pace = Pace()
    attempts: int = 1
    opted_out: bool = False
    wish: Wish | None = None
    template: str | None = None
    is_away: bool = False
    away_sentence: str | None = None
    summary: Untrusted = Untrusted("")
    summarised_until: datetime | None = None
    older: Older | None = None
    media: list[str] = []
    contact: str = ""
    channel_row: str = ""


class Recipient(BaseModel):
    """A contact as its provider knows it."""

    phone: str | None
    id: str


class Template(BaseModel):
    """An approved template, as its provider knows it."""

    name: str
    language: str


class SealedCredential(BaseModel):
    """A channel's own access token, encrypted, with the wrapped key that opens it (data/credentials.py)."""

    model_config = ConfigDict(hide_input_in_errors=True)

    channel: str
    ciphertext: str
    key_version: int
    wrapped_key: str


class SentMedia(BaseModel):
    """A file that is sent beside the text: WhatsApp's own id of it, or our object for a page to fetch."""

    kind: Literal["image", "audio", "video", "document", "sticker"]
    reference: str | None
    object_key: str


class OutboxClaim(BaseModel):
    """The answer to a claim of an outbox row; everything below `state` is there when it is "claimed".

    `channel_id` is the provider's id of the number or page. `template` is sent in place of `text`. `credential` is None
    where the platform's own token serves.
    """

    state: Literal["claimed", "busy", "done", "absent"]
    fence: int = 0
    attempts: int = 0
    text: str = ""
    channel: Literal["whatsapp", "instagram", "messenger"] = "whatsapp"
    channel_id: str = ""
    recipient: Recipient | None = None
    window_open: bool = False
    template: Template | None = None
    media: SentMedia | None = None
    credential: SealedCredential | None = None
    budget: BudgetFacts | None = None
    contact: str = ""
    channel_row: str = ""


class DueChannel(BaseModel):
    """A channel that nobody has asked about for long."""

    tenant: str
    channel: str


class ChannelFacts(BaseModel):
    """A channel as its provider knows it; `credential` is None where the platform's own token serves."""

    kind: Literal["whatsapp", "instagram", "messenger"]
    external_id: str
    account_id: str | None
    credential: SealedCredential | None


class SweptTurn(BaseModel):
    """A conversation with an unanswered message."""

    tenant: str
    conversation: str


class SweptSend(BaseModel):
    """An outbox row that nobody holds."""

    tenant: str
    outbox: str
    conversation: str


class SweptFile(BaseModel):
    """A file that no worker has read."""

    tenant: str
    file: str


class SweptMedia(BaseModel):
    """Media that no worker has fetched."""

    tenant: str
    media: str


class Swept(BaseModel):
    """What was left lying."""

    turns: list[SweptTurn]
    sends: list[SweptSend]
    files: list[SweptFile]
    media: list[SweptMedia]


_passages = TypeAdapter(list[Passage])
_counts = TypeAdapter(dict[str, int])
_due = TypeAdapter(list[DueChannel])
_replayed = TypeAdapter(list[Replayed])


def connect_channel(
    tenant: str,
    kind: Literal["whatsapp", "instagram", "messenger"],
    external_id: str,
    account_id: str,
    display_name: str,
    deadline: Deadline,
) -> str:
    """Connect a number or page to a business; the channel's id, the same when it was connected before.

    `external_id` and `account_id` are the provider's ids of the number (or page) and of the account that owns it.
    """
    arguments = {
        "p_tenant": tenant,
        "p_kind": kind,
        "p_external_id": external_id,
        "p_account_id": account_id,
        "p_display_name": display_name,
    }
    return str(call("connect_channel", arguments, deadline))


def claim_turn(tenant: str, conversation: str, seconds: int, deadline: Deadline) -> TurnClaim:
    """Take a conversation for one turn of at most `seconds`."""
    arguments = {"p_tenant": tenant, "p_conversation": conversation, "p_seconds": seconds}
    return TurnClaim.model_validate(call("claim_turn", arguments, deadline))


def keep_summary(
    tenant: str, conversation: str, since: datetime | None, until: datetime, summary: str | None, deadline: Deadline
) -> bool:
    """Keep what was said until a moment, in short; None keeps the old summary, and these lines stay out of it.

    False when another worker was faster, so that `since` is past.
    """
    arguments = {
        "p_tenant": tenant,
        "p_conversation": conversation,
        "p_since": since and since.isoformat(),
        "p_until": until.isoformat(),
        "p_summary": summary,
    }
    return bool(call("keep_summary", arguments, deadline))


def strike_contact(tenant: str, message: str, rule: str, deadline: Deadline) -> Standing:
    """Count a message (its inbox id) against its contact, once; where they stand with it. `rule` holds no words."""
    answer = call("strike_contact", {"p_tenant": tenant, "p_message": message, "p_rule": rule}, deadline)
    return Standing.model_validate(answer)


def settle_turn(
    tenant: str,
    conversation: str,
    fence: int,
    outcomes: dict[str, Outcome],
    reply: str | None,
    sources: list[str],
    handled_by: Literal["assistant", "person"] | None,
    deadline: Deadline,
    *,
    kind: ReplyKind = "text",
    judged: Judged | None = None,
) -> str | None:
    """End a turn: outcomes by inbox id, at most one reply, the claim given back, the verdicts stored.

    The outbox id, when there is a reply; None too when a person took over or the contact said stop meanwhile.
    """
    arguments: dict[str, Any] = {
        "p_tenant": tenant,
        "p_conversation": conversation,
        "p_fence": fence,
        "p_outcomes": outcomes,
        "p_reply": reply,
        "p_kind": kind,
        "p_sources": sources,
        "p_handled_by": handled_by,
        "p_judged": judged.model_dump() if judged else {},
    }
    outbox: str | None = call("settle_turn", arguments, deadline)
    return outbox


def claim_outbox(tenant: str, outbox: str, seconds: int, deadline: Deadline) -> OutboxClaim:
    """Take an outbox row for one attempt of at most `seconds`."""
    arguments = {"p_tenant": tenant, "p_outbox": outbox, "p_seconds": seconds}
    return OutboxClaim.model_validate(call("claim_outbox", arguments, deadline))


def dispatch_outbox(tenant: str, outbox: str, fence: int, deadline: Deadline) -> bool:
    """The last word before a claimed row is sent: False when it shall not be any more, and it is settled then.

    From here on the provider may have it; a worker that dies leaves it for a status to tell of.
    """
    return bool(call("dispatch_outbox", {"p_tenant": tenant, "p_outbox": outbox, "p_fence": fence}, deadline))


def settle_outbox(
    tenant: str,
    outbox: str,
    fence: int,
    result: SendResult,
    deadline: Deadline,
    *,
    provider_id: str | None = None,
    error: str | None = None,
    delay: int = 0,
) -> None:
    """What came of an attempt. `delay` in seconds, for "later"."""
    arguments = {
        "p_tenant": tenant,
        "p_outbox": outbox,
        "p_fence": fence,
        "p_result": result,
        "p_provider_id": provider_id,
        "p_error": error,
        "p_delay": delay,
    }
    call("settle_outbox", arguments, deadline)


def search_knowledge(
    tenant: str, embedding: list[float], question: str, limit: int, deadline: Deadline
) -> list[Passage]:
    """The passages of one tenant that fit a question by meaning or by words, the best first."""
    arguments = {"p_tenant": tenant, "p_embedding": embedding, "p_question": question, "p_limit": limit}
    return _passages.validate_python(call("search_knowledge_for_turn", arguments, deadline))


def replay(
    tenant: str,
    what: Literal["turns", "sends"],
    ids: list[str] | None,
    begin: datetime | None,
    end: datetime | None,
    channel: str | None,
    dry: bool,
    deadline: Deadline,
) -> list[Replayed]:
    """Take back how turns or sends ended, so that they are done again; a `dry` run only says which."""
    arguments = {
        "p_tenant": tenant,
        "p_what": what,
        "p_ids": ids,
        "p_from": begin and begin.isoformat(),
        "p_to": end and end.isoformat(),
        "p_channel": channel,
        "p_dry": dry,
    }
    return _replayed.validate_python(call("replay", arguments, deadline))


def channels_to_check(seconds: int, limit: int, deadline: Deadline) -> list[DueChannel]:
    """Channels of all tenants that were not checked for `seconds`, those that wait longest first."""
    return _due.validate_python(call("channels_to_check", {"p_seconds": seconds, "p_limit": limit}, deadline))


def channel_facts(tenant: str, channel: str, deadline: Deadline) -> ChannelFacts:
    """What is needed to ask its provider about a channel."""
    return ChannelFacts.model_validate(call("channel_facts", {"p_tenant": tenant, "p_channel": channel}, deadline))


def note_channel(tenant: str, channel: str, health: str, deadline: Deadline) -> None:
    """Write down how a channel was found."""
    call("note_channel", {"p_tenant": tenant, "p_channel": channel, "p_health": health}, deadline)


def sweep(seconds: int, deadline: Deadline) -> Swept:
    """What has lain for longer than `seconds`, of all tenants: ids only."""
    return Swept.model_validate(call("sweep", {"p_seconds": seconds}, deadline))


def close_unconfirmed(seconds: int, deadline: Deadline) -> int:
    """Give up on sends that no status has told of for `seconds`; how many. Their owners see why."""
    return int(call("close_unconfirmed", {"p_seconds": seconds}, deadline))


def prune(rows: int, deadline: Deadline) -> dict[str, int]:
    """Delete what is older than its table keeps it, at most `rows` a table: how many of which; nothing at the end."""
    return _counts.validate_python(call("prune", {"p_limit": rows}, deadline))
