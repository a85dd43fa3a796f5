"""The admission script against a real Redis: each rule once, the refusal beside its success."""

import pytest
import redis

from tests.shared.abuse.asking import DAY, Budget, Facts, Store, Want

NOW = 1_800_000_000_000
TENANT = Budget("t", "u:tenant::day:x", "d", 1000)
CONTACT = Budget("t", "u:contact:1:day:x", "d", 300)
PLATFORM = Budget("p", "u:platform::day:x", "d", 5000)
SLOTS = Budget("t", "u:tenant::now:calls", "n", 2, meter=2)
CHAT = ("p", "b:chat")


@pytest.fixture
def store(client: redis.Redis) -> Store:
    opened = Store(client)
    opened.open(NOW)
    return opened


def want(hold: str = "h", **changes: object) -> Want:
    return Want(hold, NOW, budgets=(TENANT, CONTACT, PLATFORM)).at(**changes)


def test_all_scopes_are_held_or_none_and_settled_to_what_was_used(store: Store) -> None:
    asked = want()
    assert store.admit(asked)[:5] == ["admitted", 1, 1, 2, 100]
    assert [store.counter(budget)[1:] for budget in asked.budgets] == [(0, 100)] * 3
    assert store.settle(asked, [40], NOW + 5) == ["settled", 0, 0, 0]
    assert [store.counter(budget)[1:] for budget in asked.budgets] == [(40, 0)] * 3
    before = store.dump()
    tight = want("two", budgets=(TENANT, CONTACT, Budget("p", "u:platform::day:x", "d", 45)))
    assert store.admit(tight)[:4] == ["denied", "budget_spent", "budget", 3]
    assert store.dump() == before


def test_the_grant_is_what_is_free_if_it_is_enough(store: Store) -> None:
    assert store.admit(want("one", meters=((250, 250),)))[4] == 250
    assert store.admit(want("two"))[4] == 50
    assert store.admit(want("three"))[:4] == ["denied", "budget_held", "budget", 2]
    assert store.settle(want("one"), [0], NOW)[0] == "settled"
    assert store.admit(want("three"))[4] == 100


def test_spent_says_when_the_window_ends_and_held_says_soon(store: Store) -> None:
    asked = want("one", meters=((295, 295),))
    store.admit(asked)
    assert store.admit(want("two"))[1:] == ["budget_held", "budget", 2, 2000]
    store.settle(asked, [295], NOW)
    assert store.admit(want("two"))[1:] == ["budget_spent", "budget", 2, NOW // DAY * DAY + DAY - NOW]


def test_more_than_a_limit_can_ever_hold_is_too_large(store: Store) -> None:
    assert store.admit(want("one", meters=((301, 400),)))[1:] == ["too_large", "budget", 2, 0]
    assert store.admit(want("one", meters=((300, 400),)))[4] == 300


def test_an_idle_rate_admits_its_burst_and_then_one_an_increment(store: Store) -> None:
    rates = (("r:x", 5, 60),)
    asked = [store.admit(want(str(number), budgets=(), rates=rates))[0] for number in range(6)]
    assert asked == ["admitted"] * 5 + ["denied"]
    assert store.admit(want("late", budgets=(), rates=rates))[1:] == ["rate", "rate", 1, 12_000]
    assert store.admit(want("soon", now=NOW + 11_999, budgets=(), rates=rates))[0] == "denied"
    assert store.admit(want("then", now=NOW + 12_000, budgets=(), rates=rates))[0] == "admitted"


def test_the_slowest_of_several_rates_decides_and_none_of_them_moves(store: Store) -> None:
    rates = (("r:a", 100, 60), ("r:b", 1, 60), ("r:c", 1, 600))
    assert store.admit(want("one", budgets=(), rates=rates))[0] == "admitted"
    before = store.dump()
    assert store.admit(want("two", budgets=(), rates=rates))[1:] == ["rate", "rate", 3, 600_000]
    assert store.dump() == before


def test_concurrency_is_what_is_open_and_not_what_was(store: Store) -> None:
    asked = [want(name, budgets=(SLOTS,)) for name in "abc"]
    assert [store.admit(one)[0] for one in asked] == ["admitted", "admitted", "denied"]
    assert store.admit(asked[2])[1:3] == ["concurrency", "budget"]
    store.settle(asked[0], [5], NOW)
    assert store.admit(asked[2])[0] == "admitted"
    assert store.counter(SLOTS)[1:] == (0, 2)


def test_the_same_request_has_one_hold_and_one_answer(store: Store) -> None:
    first = store.admit(want())
    assert store.admit(want())[:5] == first[:5]
    assert store.counter(TENANT)[1:] == (0, 100)
    store.settle(want(), [10], NOW)
    assert store.admit(want())[:5] == first[:5]
    assert store.counter(TENANT)[1:] == (10, 0)
    assert store.settle(want(), [99], NOW) == ["already", 0, 0, 0]


def test_a_hold_that_nobody_settled_is_charged_in_full_and_a_late_settle_corrects_it_once(store: Store) -> None:
    asked = want(breakers=(CHAT,))
    store.admit(asked)
    assert store.admit(want("next", now=asked.expires - 1))[0] == "admitted"
    assert store.counter(TENANT)[1:] == (0, 200)
    assert store.admit(want("then", now=asked.expires))[0] == "admitted"
    assert store.counter(TENANT)[1:] == (100, 200)
    assert store.settle(asked, [30], asked.expires + 1)[0] == "late"
    assert store.counter(TENANT)[1:] == (30, 200)
    assert store.settle(asked, [0], asked.expires + 2)[0] == "already"
    assert store.counter(TENANT)[1:] == (30, 200)


def test_a_copy_of_a_request_that_comes_after_its_end_is_late_even_when_its_record_is_gone(store: Store) -> None:
    asked = want()
    store.admit(asked)
    store.settle(asked, [10], NOW)
    assert store.forget("a", asked.expires - 1, ["h"]) == ["forgotten", 0]
    assert store.admit(asked)[0] == "admitted"  # its record is still there
    assert store.forget("a", asked.expires, ["h"]) == ["forgotten", 1]
    assert store.admit(asked)[:2] == ["denied", "late"]
    assert store.counter(TENANT)[1:] == (10, 0)


def test_overdraft_is_charged_and_counted(store: Store) -> None:
    asked = want()
    store.admit(asked)
    assert store.settle(asked, [350], NOW)[:2] == ["settled", 250]
    assert store.counter(TENANT)[1] == 350
    assert store.admit(want("two"))[1] == "budget_spent"


def test_eighty_and_a_hundred_per_cent_are_told_once(store: Store) -> None:
    told = []
    for number, used in enumerate([79, 1, 10, 9, 1]):
        asked = want(str(number), meters=((1, 100),), budgets=(Budget("t", "u:tenant::day:x", "d", 100),))
        store.admit(asked)
        answer = store.settle(asked, [used], NOW)
        told.append([int(answer[at + 3]) for at in range(4, 4 + 4 * int(answer[2]), 4)])
    assert told == [[], [80], [], [], [100]]


def test_a_new_day_is_empty_and_yesterdays_hold_stays_yesterdays(store: Store) -> None:
    asked = want(now=NOW // DAY * DAY + DAY - 1000)
    tomorrow = asked.now + 2000
    store.admit(asked)
    assert store.admit(want("two", now=tomorrow))[0] == "admitted"
    store.settle(asked, [100], tomorrow)
    assert store.counter(TENANT) == (NOW // DAY * DAY + DAY, 0, 100)


def test_a_clock_that_is_behind_opens_no_window_again(store: Store) -> None:
    tomorrow = NOW // DAY * DAY + DAY + 5
    asked = want("one", now=tomorrow, meters=((300, 300),))
    store.admit(asked)
    store.settle(asked, [300], tomorrow)
    assert store.admit(want("two", now=tomorrow - 1000))[1] == "budget_spent"


def test_a_store_without_a_state_admits_nothing_until_it_is_seeded(client: redis.Redis) -> None:
    store = Store(client)
    assert store.admit(want("one")) == ["init", "one", "one"]
    assert store.admit(want("two")) == ["init", "one", "one"]
    store.seed("portero:t:a", 4, NOW, [("u:tenant::day:x", "d", 950)])
    assert store.admit(want("three", own=Facts(4))) == ["init", "", "one"]
    store.seed("portero:p:model", 1, NOW)
    answer = store.admit(want("four", own=Facts(4)))
    assert (answer[0], answer[4]) == ("admitted", 50)
    assert store.seed("portero:t:a", 4, NOW) == ["kept", 4]


def test_an_older_epoch_or_version_is_stale_and_a_newer_epoch_closes_the_store(store: Store) -> None:
    store.seed("portero:t:a", 3, NOW)
    assert store.admit(want("one", own=Facts(2))) == ["stale"]
    assert store.admit(want("one", own=Facts(3, version=7)))[0] == "admitted"
    assert store.admit(want("two", own=Facts(3, version=6))) == ["stale"]
    assert store.admit(want("two", own=Facts(3, version=7)))[0] == "admitted"
    assert store.admit(want("three", own=Facts(4, version=7))) == ["init", "three", ""]
    assert store.admit(want("three", own=Facts(3, version=7))) == ["init", "three", ""]


def test_a_store_behind_the_ledger_has_lost_something(store: Store) -> None:
    store.admit(want("one"))
    assert store.admit(want("two", own=Facts(seq=1)))[0] == "admitted"
    assert store.admit(want("three", own=Facts(seq=9))) == ["init", "three", ""]


@pytest.mark.parametrize("key", ["portero:t:a", "portero:p:model"])
def test_a_stop_holds_from_the_next_call_on(store: Store, key: str) -> None:
    assert store.admit(want("one"))[0] == "admitted"
    store.client.hset(key, "stopped", "file ai")
    assert store.admit(want("two"))[:2] == ["denied", "stopped"]
    assert store.admit(want("two", consumes="send"))[0] == "admitted"
    store.client.hset(key, "stopped", "")
    assert store.admit(want("three"))[0] == "admitted"


def fail(store: Store, times: int, outcome: str = "failure", now: int = NOW, name: str = "f") -> list[object]:
    events = []
    for number in range(times):
        asked = want(f"{name}{number}", now=now, breakers=(CHAT,), budgets=())
        assert store.admit(asked)[0] == "admitted"
        events += store.settle(asked, [0], now, outcome)[4:]
    return events


def test_five_failures_on_end_open_the_breaker_and_three_probes_close_it(store: Store) -> None:
    assert fail(store, 4) == []
    assert fail(store, 1, "success", name="s") == []
    assert fail(store, 5, name="g") == ["b:chat", "opened"]
    refused = store.admit(want("x", breakers=(CHAT,), budgets=()))
    assert refused[1:3] == ["breaker_open", "breaker"]
    assert 5000 <= refused[4] <= 6250
    later = NOW + 6250
    for number in range(3):
        probe = want(f"p{number}", now=later, breakers=(CHAT,), budgets=())
        assert store.admit(probe)[0] == "admitted"
        assert store.admit(want(f"q{number}", now=later, breakers=(CHAT,), budgets=()))[1] == "breaker_open"
        events = store.settle(probe, [0], later, "success")[4:]
    assert events == ["b:chat", "closed"]
    assert fail(store, 2, "success", later, "t") == []


def test_half_of_twenty_calls_failed_or_four_in_five_slow_open_it(store: Store) -> None:
    for number in range(9):
        assert fail(store, 1, "success", name=f"s{number}") + fail(store, 1, name=f"f{number}") == []
    assert fail(store, 1, "success", name="last") == []
    assert fail(store, 1, name="twentieth") == ["b:chat", "opened"]
    store.client.hdel("portero:p:model", "b:chat")
    assert fail(store, 4, "success", name="quick") + fail(store, 15, "slow", name="slow") == []
    assert fail(store, 1, "slow", name="slowest") == ["b:chat", "opened"]


def test_failures_of_long_ago_do_not_open_it(store: Store) -> None:
    for number in range(9):
        fail(store, 1, "success", name=f"s{number}")
        fail(store, 1, name=f"f{number}")
    later = NOW + 30_000
    assert fail(store, 1, "success", later, "u") + fail(store, 1, "failure", later, "v") == []


def test_what_says_nothing_of_the_provider_is_not_counted(store: Store) -> None:
    assert fail(store, 30, "neutral") == []
    assert store.client.hget("portero:p:model", "b:chat").split(" ")[4:7] == ["0", "0", "0"]


def test_a_dead_probe_opens_it_again_and_longer(store: Store) -> None:
    fail(store, 5)
    probe = want("probe", now=NOW + 6250, seconds=10, breakers=(CHAT,), budgets=())
    assert store.admit(probe)[0] == "admitted"
    after = store.admit(want("x", now=probe.expires + 1, breakers=(CHAT,), budgets=()))
    assert after[1] == "breaker_open"
    assert 9_000 <= after[4] <= 12_500
    again = want("y", now=probe.expires + 12_500, breakers=(CHAT,), budgets=())
    assert store.admit(again)[0] == "admitted"
    # The dead one comes back from another opening, and is not heard.
    store.settle(probe, [0], again.now, "success")
    assert store.admit(want("z", now=again.now, breakers=(CHAT,), budgets=()))[1] == "breaker_open"


def test_a_probe_is_not_spent_on_a_call_that_another_rule_refuses(store: Store) -> None:
    fail(store, 5)
    poor = want("poor", now=NOW + 6250, breakers=(CHAT,), meters=((301, 400),))
    assert store.admit(poor)[1] == "too_large"
    assert store.admit(want("rich", now=NOW + 6250, breakers=(CHAT,)))[0] == "admitted"


def test_too_many_calls_move_the_providers_own_time_and_are_no_failure(store: Store) -> None:
    asked = want("one", breakers=(CHAT,), budgets=())
    store.admit(asked)
    store.settle(asked, [0], NOW, "neutral", throttled=7000)
    assert store.admit(want("two", breakers=(CHAT,), budgets=()))[1:] == ["provider_busy", "breaker", 1, 7000]
    assert store.admit(want("two", now=NOW + 7000, breakers=(CHAT,), budgets=()))[0] == "admitted"


def test_somebody_may_force_it_open_or_leave_it_out_or_only_watch_it(store: Store) -> None:
    asked = want("one", breakers=(CHAT,), budgets=())
    store.client.hset("portero:p:model", "b:chat:mode", "open")
    assert store.admit(asked)[1] == "breaker_open"
    store.client.hset("portero:p:model", "b:chat:mode", "disabled")
    assert fail(store, 30) == []
    store.client.hset("portero:p:model", "b:chat:mode", "shadow")
    assert fail(store, 5, name="s") == ["b:chat", "opened"]
    assert store.admit(asked)[0] == "admitted"
    store.client.hdel("portero:p:model", "b:chat:mode")
    assert store.admit(asked.at(hold="two"))[1] == "breaker_open"


def test_a_dead_worker_is_a_failure(store: Store) -> None:
    for number in range(5):
        store.admit(want(f"d{number}", breakers=(CHAT,), budgets=(SLOTS.__class__("t", "s", "n", 9, 2),)))
    assert store.sweep("a", "model", NOW + 30_000) == ["swept", 5]
    assert store.admit(want("x", now=NOW + 30_000, breakers=(CHAT,), budgets=()))[1] == "breaker_open"


def test_a_hold_of_before_the_provider_was_lost_leaves_the_new_counting_alone(store: Store) -> None:
    asked = want(breakers=(CHAT,))
    store.admit(asked)
    store.client.delete("portero:p:model")
    store.seed("portero:p:model", 2, NOW, [("u:platform::day:x", "d", 70)])
    store.settle(asked, [40], NOW, "failure")
    assert store.counter(PLATFORM)[1:] == (70, 0)
    assert store.counter(TENANT)[1:] == (40, 0)
    assert store.client.hget("portero:p:model", "b:chat") is None


def test_the_ledger_lifts_a_counter_and_never_lowers_it(store: Store) -> None:
    asked = want()
    store.admit(asked)
    store.settle(asked, [40], NOW)
    start = NOW // DAY * DAY
    assert store.run(["portero:t:a"], ["raise", TENANT.field, start, 30]) == ["raised", 0]
    assert store.run(["portero:t:a"], ["raise", TENANT.field, start, 70, "u:x", start, 5]) == ["raised", 2]
    assert store.run(["portero:t:a"], ["raise", TENANT.field, start - DAY, 700]) == ["raised", 0]
    assert store.counter(TENANT)[1:] == (70, 0)


def commands(store: Store) -> int:
    return sum(found["calls"] for name, found in store.client.info("commandstats").items() if "config" not in name)


@pytest.mark.parametrize(("provider", "most"), [(None, 8), ("model", 12)])
def test_what_upstash_bills_for_an_admission_and_its_end(store: Store, provider: str | None, most: int) -> None:
    rates = tuple((f"r:{name}", 100, 60) for name in "abcd")
    budgets = (TENANT, CONTACT, SLOTS, PLATFORM if provider else TENANT.__class__("t", "u:c", "d", 1000))
    breakers = (CHAT,) if provider else ()
    first = want("first", rates=rates, budgets=budgets, breakers=breakers, provider=provider)
    store.admit(first)
    store.settle(first, [1], NOW)
    asked = first.at(hold="second")
    store.client.config_resetstat()
    assert store.admit(asked)[0] == "admitted"
    assert store.settle(asked, [1], NOW)[0] == "settled"
    assert commands(store) <= most
