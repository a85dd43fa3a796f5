"""Turns are woken one by one or many in a message; what the queue did not take is not counted."""

import pytest

from shared.clock import Deadline
from shared.errors import Unavailable
from shared.messaging import wake
from shared.messaging.wake import TURNS_PER_MESSAGE, spread_turns, wake_turns


@pytest.fixture
def sent(monkeypatch):
    """What the queue took; it takes as many batches as `batches` says, and then none."""
    taken: list[wake.Wake] = []
    left = {"batches": 100}

    def send(queue: str, wakes: list[wake.Wake], seconds: float) -> None:
        if left["batches"] == 0:
            raise Unavailable("sqs_refused")
        left["batches"] -= 1
        taken.extend(wakes)

    monkeypatch.setattr(wake, "send", send)
    return taken, left


def turns(tenant: str, count: int) -> list[tuple[str, str]]:
    return [(tenant, f"{tenant}-{number}") for number in range(count)]


def test_a_few_are_woken_one_by_one(sent):
    taken, _ = sent
    assert wake_turns(turns("a", 10), "cause", Deadline(5)) == 10
    assert [one.ids for one in taken] == [{"tenant": "a", "conversation": talk} for _, talk in turns("a", 10)]


def test_many_go_in_messages_of_one_business_each_and_none_is_left_out(sent):
    taken, _ = sent
    wanted = turns("a", TURNS_PER_MESSAGE + 1) + turns("b", 3)
    assert wake_turns(wanted, "cause", Deadline(5)) == len(wanted)
    found = [(one.ids["tenant"], talk) for one in taken for talk in one.ids["conversations"].split()]
    assert found == wanted
    assert [len(one.ids["conversations"].split()) for one in taken] == [TURNS_PER_MESSAGE, 1, 3]


def test_what_the_queue_did_not_take_is_not_counted(sent):
    _, left = sent
    left["batches"] = 1
    # Eleven messages, of which ten go in the one batch.
    assert wake_turns(turns("a", 11 * TURNS_PER_MESSAGE), "cause", Deadline(5)) == 10 * TURNS_PER_MESSAGE


def test_who_spreads_says_when_not_all_were_woken(sent):
    taken, left = sent
    left["batches"] = 1
    with pytest.raises(Unavailable):
        spread_turns("a", [talk for _, talk in turns("a", 11)], "cause", Deadline(5))
    left["batches"] = 2
    spread_turns("a", [talk for _, talk in turns("a", 11)], "cause", Deadline(5))
    assert len(taken) == 10 + 11
