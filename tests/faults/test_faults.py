"""Whatever dies, whenever: no message is lost, and no reply is sent twice."""

import random
from collections import Counter

import pytest

from tests.faults.line import MODES, Fault, line
from tests.faults.scene import SEED, STEPS, play, wrong

SAMPLE = 8


def test_these_are_all_the_steps(world):
    with line(world) as watched:
        assert play(world, watched, None) == []
        taken = list(dict.fromkeys(watched.taken))
    assert [step for step in taken if not step.startswith("cron_")] == list(STEPS), (
        "You are here because a turn takes another step: name it in STEPS, so that it is broken too."
    )


def test_the_oracle_sees_what_is_lost_and_what_is_sent_twice(world, monkeypatch):
    with line(world) as watched:
        with monkeypatch.context() as nobody:
            nobody.setattr(world.schedules, "fire", lambda schedule: [])
            assert "lost: a message has no outcome" in play(
                world, watched, Fault("queue_reply: database settle_turn", "killed before")
            )
        assert play(world, watched, None) == []
    sent, [row] = world.sent(), world.rows("select phone from contacts")
    monkeypatch.setattr(world, "sent", lambda: sent * 2)
    assert list(wrong(world, Counter({row["phone"]: 2}))) == ["duplicate: one reply was sent twice"]
    monkeypatch.setattr(world, "sent", list)
    assert list(wrong(world, Counter({row["phone"]: 2}))) == ["lost: a reply is said to be sent"]
    assert "lost: a message was not kept once" in wrong(world, Counter({row["phone"]: 3}))


# Killed after a step is killed before the next one, but for the last of each function.
DEATHS = [Fault(step, "killed before") for step in STEPS] + [
    Fault(step, "killed after")
    for step in ("webhook_meta: queue", "queue_reply: queue", "queue_send: database settle_outbox")
]


@pytest.mark.parametrize("fault", DEATHS, ids=lambda fault: f"{fault.mode} {fault.step}")
def test_a_worker_may_die_at_every_step(world, fault):
    with line(world) as watched:
        assert play(world, watched, fault) == []
        assert watched.fault is None
        assert watched.taken.count(fault.step) >= 1


@pytest.mark.parametrize("seed", range(SAMPLE))
def test_many_customers_two_workers_at_once_and_what_is_away_or_loses_its_answer(world, seed):
    chance = random.Random(SEED + seed)
    with line(world) as watched:
        assert play(world, watched, Fault(chance.choice(STEPS), chance.choice(MODES)), chance) == []
