import hashlib
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import fakeredis
import httpx
import pytest
from upstash_redis import Redis
from upstash_redis.errors import UpstashError

from local import redis_server
from local.serve import serve
from local.upstash import application

TOKEN = "token-of-the-test"


@pytest.fixture(scope="module", params=["fakeredis", "Redis"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bridge, over both that `make dev` and a test may put behind it."""
    with ExitStack() as stack:
        behind = None
        if request.param == "Redis":
            behind = stack.enter_context(redis_server.running(tmp_path_factory.mktemp("redis"))).url
        yield stack.enter_context(serve(application(TOKEN, behind)))


@pytest.fixture
def redis(url: str) -> Iterator[Redis]:
    with Redis(url, TOKEN, rest_retries=0, allow_telemetry=False) as client:
        client.flushall()
        yield client


def test_strings(redis: Redis) -> None:
    assert redis.set("name", "José 🙂")
    assert redis.get("name") == "José 🙂"
    assert redis.get("nothing") is None
    assert not redis.set("name", "other", nx=True)
    assert redis.incrby("count", 3) == 3
    assert redis.mget("name", "nothing", "count") == ["José 🙂", None, "3"]


def test_the_value_ok_and_the_empty_value_survive_the_encoding(redis: Redis) -> None:
    redis.set("answer", "OK")
    redis.set("empty", "")
    assert redis.get("answer") == "OK"
    assert redis.get("empty") == ""


def test_hashes_lists_and_sorted_sets(redis: Redis) -> None:
    redis.hset("tenant", values={"used": "1", "held": "2"})
    assert redis.hgetall("tenant") == {"used": "1", "held": "2"}
    assert redis.hmget("tenant", "used", "nothing") == ["1", None]
    redis.rpush("queue", "a", "b")
    assert redis.lrange("queue", 0, -1) == ["a", "b"]
    redis.zadd("scores", {"one": 1.5})
    assert redis.zscore("scores", "one") == 1.5


def test_times_to_live(redis: Redis) -> None:
    redis.set("brief", "x", px=90_000)
    assert 80_000 < redis.pttl("brief") <= 90_000
    assert redis.ttl("nothing") == -2
    redis.persist("brief")
    assert redis.ttl("brief") == -1


def test_a_pipeline_answers_every_command(redis: Redis) -> None:
    pipeline = redis.pipeline()
    pipeline.set("a", "1")
    pipeline.incr("a")
    pipeline.get("a")
    assert pipeline.exec() == [True, 2, "2"]


def test_a_failed_command_in_a_pipeline_fails_alone(redis: Redis, url: str) -> None:
    redis.set("text", "x")
    commands = [["SET", "a", 1], ["INCR", "text"], ["GET", "a"]]
    answer = httpx.post(f"{url}/pipeline", json=commands, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.json() == [
        {"result": "OK"},
        {"error": "ERR value is not an integer or out of range"},
        {"result": "1"},
    ]


def test_a_transaction(redis: Redis) -> None:
    transaction = redis.multi()
    transaction.hset("tenant", "used", "5")
    transaction.hincrby("tenant", "used", 1)
    assert transaction.exec() == [1, 6]


def test_a_transaction_with_an_unknown_command_does_nothing(redis: Redis, url: str) -> None:
    commands = [["SET", "a", "1"], ["NONSENSE"]]
    answer = httpx.post(f"{url}/multi-exec", json=commands, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("EXECABORT")
    assert redis.get("a") is None


def test_scripts_see_keys_arguments_and_the_time(redis: Redis) -> None:
    script = "redis.call('SET', KEYS[1], ARGV[1]) return {KEYS[1], redis.call('TIME')[1], 7, false}"
    key, seconds, number, nothing = redis.eval(script, keys=["k"], args=["v"])
    assert (key, number, nothing) == ("k", 7, None)
    assert int(seconds) > 1_700_000_000
    assert redis.get("k") == "v"


@pytest.mark.parametrize("first_line", ["", "#!lua flags=allow-key-locking\n"])
def test_a_loaded_script_is_known_by_the_sha_of_what_was_sent(redis: Redis, first_line: str) -> None:
    script = f"{first_line}return ARGV[1] .. '!'"
    sha = redis.script_load(script)
    assert sha == hashlib.sha1(script.encode()).hexdigest()
    assert redis.evalsha(sha, args=["hi"]) == "hi!"
    assert redis.eval(script, args=["ho"]) == "ho!"
    assert redis.script_exists(sha, "0" * 40) == [True, False]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (["GET"], "ERR wrong number of arguments for 'get' command"),
        (["HGET", "text", "field"], "WRONGTYPE Operation against a key holding the wrong kind of value"),
        (["EVALSHA", "0" * 40, "0"], "NOSCRIPT No matching script. Please use EVAL."),
        (["EVAL", "return redis.error_reply('MINE no')", "0"], "MINE no"),
        (["SUBSCRIBE", "news"], "ERR Command is not available: 'SUBSCRIBE'"),
    ],
)
def test_errors_are_those_of_redis(redis: Redis, command: list[str], error: str) -> None:
    redis.set("text", "x")
    with pytest.raises(UpstashError) as raised:
        redis.execute(command)
    assert str(raised.value) == error


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{}", b"[]", b"[1]", b'[["GET","a"]]', b'["GET", null]', b'["GET", true]']
)
def test_a_body_that_is_no_command_is_refused(url: str, body: bytes) -> None:
    answer = httpx.post(url, content=body, headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"])
@pytest.mark.parametrize("path", ["/", "/pipeline", "/multi-exec", "/get/a"])
def test_a_stranger_is_refused(url: str, path: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = httpx.post(url + path, json=["PING"], headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {"error": "WRONGPASS invalid or missing auth token"}


def test_commands_as_paths(redis: Redis, url: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.get(f"{url}/set/a%2Fb/c%20d?EX=100", headers=headers).json() == {"result": "OK"}
    assert redis.get("a/b") == "c d"
    assert redis.ttl("a/b") > 90
    assert httpx.post(f"{url}/set/body", content="long text", headers=headers).json() == {"result": "OK"}
    assert httpx.get(f"{url}/get/body?_token={TOKEN}").json() == {"result": "long text"}


def test_the_encoding_changes_strings_but_not_ok(redis: Redis, url: str) -> None:
    redis.set("name", "José")
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.post(url, json=["GET", "name"], headers=headers).json() == {"result": "José"}
    headers["Upstash-Encoding"] = "base64"
    assert httpx.post(url, json=["GET", "name"], headers=headers).json() == {"result": "Sm9zw6k="}
    assert httpx.post(url, json=["SET", "name", "x"], headers=headers).json() == {"result": "OK"}


def test_each_application_has_a_store_of_its_own() -> None:
    with serve(application(TOKEN)) as first, serve(application(TOKEN)) as second:
        Redis(first, TOKEN, allow_telemetry=False).set("a", "1")
        assert Redis(second, TOKEN, allow_telemetry=False).get("a") is None


def test_a_redis_is_reached_over_tcp() -> None:
    server = fakeredis.TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    with serve(application(TOKEN, f"redis://127.0.0.1:{server.server_address[1]}/0")) as url:
        client = Redis(url, TOKEN, allow_telemetry=False)
        client.hset("tenant", "used", "5")
        assert client.hgetall("tenant") == {"used": "5"}
    server.shutdown()
    server.server_close()


def test_a_redis_that_is_away_is_an_error_not_a_crash() -> None:
    with serve(application(TOKEN, "redis://127.0.0.1:1/0")) as url:
        answer = httpx.post(url, json=["PING"], headers={"Authorization": f"Bearer {TOKEN}"})
        assert (answer.status_code, list(answer.json())) == (400, ["error"])
