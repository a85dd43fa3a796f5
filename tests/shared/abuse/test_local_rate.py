from shared.abuse.local_rate import KEYS_KEPT, LocalRate


def test_an_idle_key_has_the_whole_limit_and_then_one_call_an_increment():
    rate = LocalRate(limit=3, seconds=60)
    assert [rate.wait("a", now=100.0) for _ in range(4)] == [0, 0, 0, 20]
    assert rate.wait("a", now=119.0) == 1
    assert rate.wait("a", now=120.0) == 0
    assert rate.wait("a", now=120.0) == 20


def test_a_clock_that_goes_back_locks_nobody_out():
    rate = LocalRate(limit=1, seconds=60)
    assert rate.wait("a", now=1000.0) == 0
    assert rate.wait("a", now=1000.0) == 60
    assert rate.wait("a", now=500.0) == 0
    rate.forget()
    assert rate.wait("a", now=500.0) == 0


def test_keys_do_not_share_and_memory_is_bounded():
    rate = LocalRate(limit=1, seconds=60)
    assert [rate.wait(str(key), now=0.0) for key in range(KEYS_KEPT + 10)] == [0] * (KEYS_KEPT + 10)
    assert len(rate._arrival) == KEYS_KEPT
