"""What becomes of a claimed turn: one named outcome for every message in it, and at most one reply."""

import logging
from dataclasses import dataclass, field
from typing import Literal

from shared.assistant.answer import answer
from shared.assistant.model import ModelFailed
from shared.clock import Deadline
from shared.data import store
from shared.data.store import Outcome, TurnClaim

log = logging.getLogger("portero")

# What the assistant reads; what needs no answer; everything else goes to a person.
READABLE = frozenset({"text", "button", "interactive"})
SILENT = frozenset({"reaction", "edit", "revoke", "system"})


@dataclass(frozen=True)
class Decision:
    """Outcomes by inbox id, the reply if any, and who handles the conversation from now on."""

    outcomes: dict[str, Outcome]
    reply: str | None = None
    sources: list[str] = field(default_factory=list)
    handled_by: Literal["person"] | None = None

    @property
    def outcome(self) -> str:
        """The outcome of the turn's last message, for the log."""
        return next(reversed(self.outcomes.values()))


def decide(tenant_id: str, turn: TurnClaim, deadline: Deadline) -> Decision:
    """Pass the gates in order, then answer. Raises Unavailable when the turn should be tried again later."""
    assert turn.tenant is not None
    if turn.channel != "whatsapp":
        return Decision(_all(turn, "unsupported"))
    if turn.handled_by == "person":
        return Decision(_all(turn, "handed_to_person"))
    if all(message.kind in SILENT for message in turn.messages):
        return Decision(_all(turn, "unsupported"))
    readable = [message for message in turn.messages if message.kind in READABLE and message.text.strip()]
    if not readable:
        return _hand_off(turn)
    try:
        said = answer(
            turn.tenant,
            turn.history,
            [message.text for message in readable],
            lambda vector, limit: store.search_knowledge(tenant_id, vector, limit, deadline),
            deadline,
        )
    except ModelFailed as problem:
        log.warning("model failed", extra={"problem": problem.name})
        return _hand_off(turn)
    if said.hand_off:
        return _hand_off(turn)
    outcomes: dict[str, Outcome] = dict.fromkeys([message.inbox_id for message in turn.messages], "merged")
    outcomes[turn.messages[-1].inbox_id] = "replied"
    return Decision(outcomes, said.text, said.sources)


def _hand_off(turn: TurnClaim) -> Decision:
    """The business's own sentence, once, and a person from then on."""
    assert turn.tenant is not None
    return Decision(_all(turn, "handed_to_person"), turn.tenant.hand_off_sentence, handled_by="person")


def _all(turn: TurnClaim, outcome: Outcome) -> dict[str, Outcome]:
    return {message.inbox_id: outcome for message in turn.messages}
