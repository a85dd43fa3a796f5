"""The typed face: what may be asked, and how a hold ends whichever way its block is left."""

import signal
from typing import Any

import pytest

from shared.abuse import admission
from shared.abuse.admission import Account, Denied, Grant, Want, admit
from shared.abuse.allowance import Allowance
from shared.clock import Deadline
from shared.cloud.upstash import StoreAway
from shared.data.budget_rows import BudgetFacts


class Asking:
    allowance = Allowance("queue_reply", ("ai",), (("contact", 12, 60),))
    deadline = Deadline(60)


class NoBooks:
    """Nobody to ask."""


def account() -> Account:
    providers = {"model": {"version": 1, "epoch": 1, "limits": {}}}
    facts = {"tenant": "t", "time_zone": "UTC", "version": 1, "epoch": 1, "seq": 0, "providers": providers}
    limits = {"tenant.day.ai_microdollars": 1000, "member.day.ai_microdollars": 10, "tenant.now.calls": 3}
    return Account(BudgetFacts.model_validate(facts | {"limits": limits}), NoBooks())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "amounts",
    [(-1, 5), (5, -1), (6, 5), (1.5, 2), (1, float("nan")), (True, 2), (1, 10**13 + 1), ("1", "2"), (None, 1)],
)
def test_what_is_no_whole_amount_never_reaches_the_script(monkeypatch: pytest.MonkeyPatch, amounts: Any) -> None:
    asked: list[Any] = []

    def answer(*arguments: Any) -> list[Any]:
        asked.append(arguments)
        return ["denied", "late", "", 0, 0]

    monkeypatch.setattr(admission, "run_script", answer)
    assert isinstance(admit(Asking(), account(), Want("model", {"ai_microdollars": (1, 2)})), Denied)
    with pytest.raises(ValueError, match="whole amount"):
        admit(Asking(), account(), Want("model", {"ai_microdollars": amounts}))
    assert len(asked) == 1


def test_what_the_guard_does_not_declare_is_not_admitted() -> None:
    with pytest.raises(ValueError, match="does not declare"):
        admit(Asking(), account(), Want("model", {"sends": (1, 1)}))


def test_limits_of_scopes_that_a_call_does_not_name_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(admission, "run_script", lambda s, k, arguments, d: asked.append(arguments) or ["stale"])
    monkeypatch.setattr(NoBooks, "facts", lambda self: account().facts, raising=False)
    assert admit(Asking(), account(), Want("model", {"ai_microdollars": (1, 2)})).reason == "rebuilding"  # type: ignore[union-attr]
    assert "u:tenant::day:ai_microdollars" in asked[0]
    assert not any("member" in word for word in asked[0])
    assert not any(word.startswith("r:") for word in asked[0])
    admit(Asking(), account(), Want("model", {"ai_microdollars": (1, 2)}, contact="c", member="m"))
    assert "r:contact:c:queue_reply" in asked[-1]
    assert "u:member:m:day:ai_microdollars" in asked[-1]


def test_without_the_store_what_does_not_degrade_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> list[Any]:
        raise StoreAway("redis_status_502")

    monkeypatch.setattr(admission, "run_script", away)
    denied = admit(Asking(), account(), Want("model", {"ai_microdollars": (1, 2)}))
    assert isinstance(denied, Denied)
    problem = denied.problem()
    assert (problem.status, problem.type_name) == (503, "temporary-reduced-capacity")
    assert problem.retry_after is not None


@pytest.mark.parametrize(
    ("reason", "status", "waits"),
    [
        ("rate", 429, True),
        ("budget_spent", 429, True),
        ("too_large", 413, False),
        ("stopped", 503, False),
        ("breaker_open", 503, True),
    ],
)
def test_each_reason_is_told_as_what_it_is(reason: Any, status: int, waits: bool) -> None:
    problem = Denied(reason, "tenant.day.sends", 7 if waits else None).problem()
    assert (problem.status, problem.retry_after is not None) == (status, waits)
    assert problem.body().get("violated-policies", []) == (["tenant.day.sends"] if status == 429 else [])


def ended() -> tuple[Grant, list[dict[str, int]]]:
    found: list[dict[str, int]] = []
    grant = Grant("h", {"ai_microdollars": 100, "ai_tokens": 50}, (), lambda ended: found.append(ended.used))
    return grant, found


def test_what_is_known_is_charged_and_what_may_have_been_used_in_full() -> None:
    grant, found = ended()
    with grant:
        grant.dispatch("ai_microdollars", "ai_tokens")
        assert grant.left("ai_microdollars") == 0
        grant.spend(ai_microdollars=30)
        assert grant.left("ai_microdollars") == 70
    assert found == [{"ai_microdollars": 30, "ai_tokens": 50}]
    grant.settle()
    assert len(found) == 1


def leave(grant: Grant, error: type[BaseException]) -> None:
    with grant:
        grant.dispatch("ai_tokens")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_hold_ends_on_every_way_out(error: type[BaseException]) -> None:
    grant, found = ended()
    with pytest.raises(error):
        leave(grant, error)
    assert found == [{"ai_microdollars": 0, "ai_tokens": 50}]


def test_a_runtime_that_is_told_to_end_settles_first() -> None:
    grant, found = ended()
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit), grant:
        signal.raise_signal(signal.SIGTERM)
    assert found == [{"ai_microdollars": 0, "ai_tokens": 0}]
    assert signal.getsignal(signal.SIGTERM) is before


def test_only_what_was_granted_is_spent_and_in_whole_units() -> None:
    grant, _ = ended()
    for wrong in ({"sends": 1}, {"ai_tokens": -1}, {"ai_tokens": 1.5}):
        with pytest.raises(ValueError, match="not granted"):
            grant.spend(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not in this grant"):
        grant.dispatch("sends")
    grant.spend(ai_tokens=1)
    assert grant.used == {"ai_microdollars": 0, "ai_tokens": 1}
