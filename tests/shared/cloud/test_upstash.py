"""The thin client against a store that loses, doubles, delays and spoils: two deliveries at most, and one effect."""

import json
import time
from collections.abc import Iterator

import pytest
import redis

from local import redis_server
from local.serve import serve
from local.upstash import application
from shared import clock
from shared.clock import Deadline
from shared.cloud import transport, upstash
from shared.cloud.upstash import Script, StoreAway, run, run_script
from tests.fault_proxy import Proxy, proxy_to

TOKEN = "token-of-the-test"
# Counts itself once for each request id.
COUNT = Script("#!lua flags=allow-key-locking\nif redis.call('SADD', KEYS[1], ARGV[1]) == 1 then\n"
               "  redis.call('INCR', KEYS[2])\nend\nreturn {'counted', redis.call('GET', KEYS[2])}\n")  # fmt: skip


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server.running(tmp_path_factory.mktemp("redis")) as server, serve(application(TOKEN, server.url)) as url:
        with redis.Redis.from_url(server.url) as client:
            client.flushall()
        yield url


@pytest.fixture
def proxy(bridge: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    monkeypatch.setattr(upstash, "current", lambda secret: TOKEN)
    monkeypatch.setattr(upstash, "_skew", 0.0)
    with proxy_to(bridge) as fronting:
        monkeypatch.setenv("UPSTASH_REDIS_REST_URL", fronting.url)
        run(["FLUSHALL"], Deadline(2))
        fronting.delivered.clear()
        fronting.asked = 0
        yield fronting
    transport._kept.clear()


def count(request: str = "one") -> list[object]:
    return run_script(COUNT, ["seen", "count"], [request], Deadline(2))


def test_a_script_is_sent_whole_once_and_then_by_its_digest(proxy: Proxy) -> None:
    run(["SCRIPT", "FLUSH"], Deadline(2))
    proxy.delivered.clear()
    assert count() == ["counted", "1"]
    assert count("two") == ["counted", "2"]
    assert [json.loads(body)[0] for body in proxy.delivered] == ["EVALSHA", "EVAL", "EVALSHA"]


@pytest.mark.parametrize(
    ("faults", "deliveries"),
    [
        (["lose the request"], 1),
        (["lose the reply"], 2),
        (["deliver twice"], 2),
        (["unknown script"], 1),
        (["close"], 1),
    ],
)
def test_what_is_lost_once_is_asked_again_and_has_one_effect(proxy: Proxy, faults: list[str], deliveries: int) -> None:
    count("warm")
    proxy.delivered.clear()
    proxy.faults = list(faults)
    assert count() == ["counted", "2"]
    assert len(proxy.delivered) == deliveries
    assert count() == ["counted", "2"]


@pytest.mark.parametrize(
    ("faults", "name", "asked"),
    [
        (["lose the reply"] * 5, "redis_upstream_Closed", 2),
        (["html 502"], "redis_status_502", 1),
        (["quota"], "redis_quota", 1),
        (["garbage"], "redis_malformed", 1),
        (["unauthorized"], "redis_status_401", 1),
    ],
)
def test_what_stays_wrong_has_a_name_and_is_never_a_yes(proxy: Proxy, faults: list[str], name: str, asked: int) -> None:
    count("warm")
    proxy.asked, proxy.faults = 0, list(faults)
    with pytest.raises(StoreAway, match=name):
        count()
    assert proxy.asked == asked
    proxy.faults = []
    assert count()[0] == "counted"


def test_a_store_that_stalls_is_given_up_in_time(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstash, "MAXIMUM_SECONDS", 0.05)
    proxy.faults = ["stall", "stall"]
    begun = time.monotonic()
    with pytest.raises(StoreAway, match="redis_upstream_timeout"):
        count()
    assert time.monotonic() - begun < 1
    assert proxy.asked <= 2
    monkeypatch.setattr(upstash, "MAXIMUM_SECONDS", 0.4)
    assert count()[0] == "counted"


def test_without_time_nothing_is_asked(proxy: Proxy) -> None:
    with pytest.raises(StoreAway, match="redis_deadline"):
        run(["PING"], Deadline(0))
    assert proxy.asked == 0
    assert run(["PING"], Deadline(1)) == "PONG"


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstash, "current", lambda secret: TOKEN)
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreAway, match="redis_upstream_connect"):
        run(["PING"], Deadline(1))


def test_a_clock_that_is_wrong_is_known_by_the_stores_answers(proxy: Proxy) -> None:
    run(["PING"], Deadline(1))
    assert upstash.skew() == 0.0
    ahead = time.time() + 300
    with clock.held_at(ahead):
        run(["PING"], Deadline(1))
        assert -303 < upstash.skew() < -297
    run(["PING"], Deadline(1))
    assert upstash.skew() == 0.0
