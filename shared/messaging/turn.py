"""What becomes of a claimed turn: one named outcome for every message in it, and at most one reply."""

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from shared import clock, metrics
from shared.abuse.admission import Account, Denied, Want, admit
from shared.abuse.allowance import Asking
from shared.abuse.retries import RetryBudget, pause
from shared.abuse.server_books import ServerBooks
from shared.assistant.answer import Answer, Turn, answer
from shared.assistant.gate import NEUTRAL, asks_for_person
from shared.assistant.model import ModelFailed
from shared.assistant.summary import with_summary
from shared.data import store
from shared.data.rows import Language
from shared.data.store import Judged, Outcome, Pace, ReplyKind, TurnClaim, Wish
from shared.errors import Unavailable
from shared.safety import Verdict
from shared.safety.judged import Conversation, judge_conversation, judge_text, judge_together
from shared.safety.strikes import SLOWED, STRIKE, Step, step_of
from shared.safety.version import FILTER_VERSION
from shared.untrusted import Untrusted

log = logging.getLogger("portero")

# What the assistant reads; what needs no answer; everything else goes to a person.
READABLE = frozenset({"text", "button", "interactive"})
SILENT = frozenset({"reaction", "edit", "revoke", "system"})
ATTEMPTS = 2
# A message that so many turns have failed at is a person's.
TURNS_AT_MOST = 12
# With less than this left an answer is not begun anew.
ANSWER_SECONDS = 15.0

WINDOW_SECONDS = 86_400
# Eight messages on end within seconds of ours, or a reply every ninety seconds for an hour.
QUICK, REPLIES_AN_HOUR = 8, 40
# Neutral replies in an hour, whoever wrote what was blocked. Beyond them a blocked message gets no reply.
NEUTRAL_AN_HOUR = SLOWED
HEARD: dict[Wish, dict[Language, str]] = {
    "out": {
        "es": "Listo, no te escribimos más. Si quieres volver, escribe ALTA.",
        "pt": "Pronto, não escrevemos mais. Se quiser voltar, escreva VOLTAR.",
        "en": "Done, we will not write to you any more. To come back, write START.",
    },
    "in": {
        "es": "¡Qué bueno tenerte de vuelta! ¿En qué te ayudamos?",
        "pt": "Que bom ter você de volta! Como podemos ajudar?",
        "en": "Good to have you back! How can we help?",
    },
}

retry_budget = RetryBudget()


@dataclass(frozen=True)
class Decision:
    """Outcomes by inbox id, the reply if any, who handles the conversation from now on, and the verdicts to store."""

    outcomes: dict[str, Outcome]
    reply: str | None = None
    sources: list[str] = field(default_factory=list)
    handled_by: Literal["person"] | None = None
    kind: ReplyKind = "text"
    judged: Judged | None = None

    @property
    def outcome(self) -> str:
        """The outcome of the turn's last message, for the log."""
        return next(reversed(self.outcomes.values()))


def decide(tenant_id: str, claim: TurnClaim, request: Asking) -> Decision:
    """Judge what the claim holds, pass the gates in order, then answer.

    All of it is judged whatever its outcome will be: it is history from then on.
    Raises Unavailable when the turn should be tried again later.
    """
    said = [message for message in claim.messages if not message.text.is_blank()]
    conversation = judge_conversation(claim.history, said)
    decision = _decide(tenant_id, claim, conversation, request)
    reply = judge_text(Untrusted(decision.reply)).verdict.verdict if decision.reply else None
    judged = Judged(filter_version=FILTER_VERSION, messages=conversation.new_verdicts(), reply=reply)
    return replace(decision, judged=judged)


def _decide(tenant_id: str, claim: TurnClaim, conversation: Conversation, request: Asking) -> Decision:
    assert claim.tenant is not None
    if claim.handled_by == "person":
        return Decision(_all(claim, "handed_to_person"))
    if claim.wish == "out" or (claim.wish == "in" and len(claim.messages) == 1):
        return _heard(claim, claim.wish)
    if claim.opted_out:
        return Decision(_all(claim, "opted_out"))
    if claim.attempts > TURNS_AT_MOST:
        log.error("turn given up", extra={"attempts": claim.attempts})
        return _hand_off(claim, "failed")
    if all(message.kind in SILENT for message in claim.messages):
        return Decision(_all(claim, "unsupported"))
    if is_past_window(claim.last_inbound_at, clock.now()):
        log.warning("window closed")
        return Decision(_all(claim, "outside_window"), claim.template, kind="template")
    if claim.is_away:
        return Decision(_all(claim, "outside_hours"), claim.away_sentence)
    if is_loop(claim.pace):
        log.warning("looped", extra={"replies": claim.pace.replies, "quick": claim.pace.quick})
        return Decision(_all(claim, "looped"), handled_by="person")
    step = step_of(claim.standing, clock.now())
    if step in ("slowed", "blocked", "held"):
        return _struck_out(claim, step)
    readable = {message.id for message in claim.messages if message.kind in READABLE}
    texts = [line.text for line in conversation.current if line.id in readable]
    if not texts:
        return _hand_off(claim)
    turn = Turn.of(tenant_id, claim.tenant, with_summary(claim.summary, conversation.earlier), texts)
    verdict = turn.verdict
    if verdict.verdict == "flag":
        metrics.note_guard("flagged")
    if verdict.verdict == "block":
        return _block(tenant_id, claim, conversation, verdict, request)
    try:
        said = _answer(tenant_id, claim, turn, request)
    except ModelFailed as problem:
        log.warning("model failed", extra={"problem": problem.name})
        return _hand_off(claim)
    if isinstance(said, Denied):
        return _denied(claim, said)
    if said.hand_off:
        return _hand_off(claim)
    outcomes: dict[str, Outcome] = dict.fromkeys([message.inbox_id for message in claim.messages], "merged")
    outcomes[claim.messages[-1].inbox_id] = "replied"
    return Decision(outcomes, said.text, said.sources)


def is_past_window(last_inbound_at: datetime | None, now: float) -> bool:
    """Whether Meta takes no more words: 24 hours after the customer's last message."""
    return last_inbound_at is None or now - last_inbound_at.timestamp() > WINDOW_SECONDS


def is_loop(pace: Pace) -> bool:
    """Whether a machine seems to answer: by how fast and how often, since each answer may be another."""
    return pace.quick >= QUICK or pace.replies >= REPLIES_AN_HOUR


def _heard(claim: TurnClaim, wish: Wish) -> Decision:
    """Say once that the wish was heard, and how to take it back."""
    assert claim.tenant is not None
    outcome: Outcome = "opted_out" if wish == "out" else "replied"
    return Decision(_all(claim, outcome), HEARD[wish][claim.tenant.language], kind="notice")


def _block(tenant_id: str, claim: TurnClaim, conversation: Conversation, verdict: Verdict, request: Asking) -> Decision:
    """Say the neutral sentence, NEUTRAL_AN_HOUR times an hour at most. The model sees nothing of the turn.

    A contact gets a strike if the attack is their own text (not forwarded) and scores at least STRIKE.
    """
    assert claim.tenant is not None
    log.warning("turn blocked", extra={"rules": verdict.rules})
    metrics.note_guard("blocked")
    own = [message for message in claim.messages if message.kind in READABLE and not message.is_forwarded]
    if own and judge_together([message.text for message in own]).score >= STRIKE:
        standing = store.strike_contact(tenant_id, own[-1].inbox_id, "input_guard", request.deadline)
        if standing.strikes > SLOWED:
            return Decision(_all(claim, "blocked"))
    if claim.pace.neutral < NEUTRAL_AN_HOUR:
        return Decision(_all(claim, "blocked"), NEUTRAL[claim.tenant.language], kind="neutral")
    harmless = {line.id for line in conversation.current if not line.text.is_withheld}
    if any(asks_for_person(message.text) for message in own if message.id in harmless):
        return _hand_off(claim)
    log.warning("no more neutral replies", extra={"count": claim.pace.neutral})
    return Decision(_all(claim, "blocked"))


def _struck_out(claim: TurnClaim, step: Step) -> Decision:
    """No answer, but to whom asks for a person: that way is always open."""
    if any(asks_for_person(message.text) for message in claim.messages):
        return _hand_off(claim)
    log.warning("contact struck out", extra={"step": step})
    return Decision(_all(claim, "blocked"))


def _answer(tenant_id: str, claim: TurnClaim, turn: Turn, request: Asking) -> Answer | Denied:
    """One hold for each attempt, since each may be charged; a second attempt only for what may pass."""
    assert claim.budget is not None
    account = Account(claim.budget, ServerBooks(tenant_id, request.deadline))
    want = Want("model", turn.meters(), contact=claim.contact, channel=claim.channel_row, breakers=turn.breakers())
    for attempt in range(ATTEMPTS):
        grant = admit(request, account, want)
        if isinstance(grant, Denied):
            return grant
        try:
            with grant:
                said = answer(
                    turn,
                    lambda vector, words, most: store.search_knowledge(
                        tenant_id, vector, words, most, request.deadline
                    ),
                    grant,
                    request.deadline,
                )
        except ModelFailed as problem:
            is_last = attempt + 1 == ATTEMPTS
            if is_last or not (problem.passes and retry_budget.failed()):
                raise
            if not pause(attempt, request.deadline, ANSWER_SECONDS):
                raise
        else:
            retry_budget.succeeded()
            return said
    raise AssertionError("the last attempt returns or raises")


def _denied(claim: TurnClaim, denied: Denied) -> Decision:
    """The customer hears the business's own sentence, once, rather than nothing; what passes soon is tried again."""
    log.warning("turn denied", extra={"denial": denied.reason, "policy": denied.policy})
    if denied.reason == "breaker_open":
        return _hand_off(claim)
    if denied.passes:
        raise Unavailable(f"denied_{denied.reason}", denied.retry_after or 5)
    return _hand_off(claim, "handed_to_person" if denied.reason == "stopped" else "over_budget")


def _hand_off(claim: TurnClaim, outcome: Outcome = "handed_to_person") -> Decision:
    """The business's own sentence, once, and a person from then on."""
    assert claim.tenant is not None
    return Decision(_all(claim, outcome), claim.tenant.hand_off_sentence, handled_by="person")


def _all(claim: TurnClaim, outcome: Outcome) -> dict[str, Outcome]:
    return {message.inbox_id: outcome for message in claim.messages}
