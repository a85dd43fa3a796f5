"""What a conversation remembers: after an answer, what is older than its latest lines goes into the summary."""

import logging

from shared.abuse.admission import Account, Denied, Want, admit
from shared.abuse.allowance import Asking
from shared.abuse.server_books import ServerBooks
from shared.assistant.summary import Summary, judge_summary
from shared.data import store
from shared.data.store import Older, TurnClaim
from shared.errors import Problem
from shared.safety.judged import judge_conversation

log = logging.getLogger("portero")

# With less than this left, the next turn does it.
SUMMARY_SECONDS = 15.0


def remember(tenant: str, conversation: str, claim: TurnClaim, request: Asking) -> None:
    """Write the summary anew if there is enough to tell. Never raises: the next turn tries again what failed."""
    if claim.older is None or request.deadline.remaining() < SUMMARY_SECONDS:
        return
    try:
        _summarise(tenant, conversation, claim, claim.older, request)
    except Problem as problem:
        log.warning("not summarised", extra={"problem": problem.name})


def _summarise(tenant: str, conversation: str, claim: TurnClaim, older: Older, request: Asking) -> None:
    assert claim.budget is not None
    lines = judge_conversation(older.lines, []).earlier
    summary = Summary(judge_summary(claim.summary), lines)
    account = Account(claim.budget, ServerBooks(tenant, request.deadline))
    want = Want(
        "model", summary.meters(), contact=claim.contact, channel=claim.channel_row, breakers=summary.breakers()
    )
    grant = admit(request, account, want)
    if isinstance(grant, Denied):
        log.info("not summarised", extra={"denial": grant.reason})
        return
    with grant:
        text = summary.write(grant, request.deadline)
    if text is None:
        log.warning("summary refused")
    store.keep_summary(tenant, conversation, claim.summarised_until, older.until, text, request.deadline)
