"""One identity a request: nothing of one person's request is seen by, or done with the rights of, another's."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from local.seed import Owner, open_account
from local.world import World
from shared.assistant.model import DIMENSIONS
from shared.clock import Deadline
from shared.data import user_store
from shared.data.user_store import CONNECT_SECONDS, MAXIMUM_SECONDS, UserStore
from shared.errors import Problem, Unavailable

ROUNDS = 60
SOMEWHERE = [1.0] + [0.0] * (DIMENSIONS - 1)


@pytest.fixture
def settings(world: World, monkeypatch):
    """What ai_chat finds in its environment, for every thread of the test."""
    for name, value in world.variables["ai_chat"].items():
        monkeypatch.setenv(name, value)


class Wire(httpx.BaseTransport):
    """Stands where the shared connections are, and writes down what goes over them."""

    def __init__(self, beyond: httpx.BaseTransport | None = None, answer: httpx.Response | None = None) -> None:
        self.beyond, self.answer = beyond, answer
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.beyond is not None:
            return self.beyond.handle_request(request)
        return httpx.Response(200, json=[{"name": "x"}], headers=[("set-cookie", "session=of-the-first; Path=/")])


@pytest.fixture
def wire(settings, monkeypatch) -> Wire:
    """The real connections, watched."""
    watched = Wire(user_store._connections())
    monkeypatch.setattr(user_store, "_connections", lambda: watched)
    return watched


@pytest.fixture
def nowhere(settings, monkeypatch) -> Wire:
    """No connection: every request is answered on the spot, with a cookie."""
    answering = Wire()
    monkeypatch.setattr(user_store, "_connections", lambda: answering)
    return answering


def test_without_time_left_nothing_is_asked(world, wire):
    assert UserStore(world.owner.access_token, Deadline(5)).tenant(world.owner.tenant)["language"] == "es"
    asked = len(wire.requests)
    with pytest.raises(Unavailable) as caught:
        UserStore(world.owner.access_token, Deadline(0)).tenant(world.owner.tenant)
    assert caught.value.name == "database_deadline"
    assert len(wire.requests) == asked


def test_two_interleaved_requests_never_share_an_identity(world, wire):
    ana, bia = (open_account(world.plan, f"{name}@negocio.example", name) for name in ("ana", "bia"))
    together = threading.Barrier(2)

    def work(name: str, own: Owner, other: Owner) -> list[str]:
        store = UserStore(own.access_token, Deadline(60))
        wrong = []
        for turn in range(ROUNDS):
            together.wait(30)
            # In turns, so that at each moment the one asks for what is hers and the other for what is not.
            if turn % 2 == (name == "ana"):
                seen = store.tenant(own.tenant)["name"]
                if seen != name:
                    wrong.append(seen)
            else:
                with pytest.raises(Problem) as caught:
                    store.tenant(other.tenant)
                if caught.value.name != "row_not_found":
                    wrong.append(caught.value.name)
            together.wait(30)
            if store.search_knowledge(other.tenant, SOMEWHERE, "x", 1):
                wrong.append("knowledge")
        return wrong

    with ThreadPoolExecutor(2) as pool:
        sides = [pool.submit(work, "ana", ana, bia), pool.submit(work, "bia", bia, ana)]
        assert [side.result(120) for side in sides] == [[], []]
    assert len(wire.requests) == 2 * 2 * ROUNDS
    tokens = [request.headers["authorization"] for request in wire.requests]
    assert {*tokens} == {f"Bearer {ana.access_token}", f"Bearer {bia.access_token}"}
    assert tokens.count(f"Bearer {ana.access_token}") == len(tokens) / 2


def test_what_is_shared_carries_no_authorization_and_no_cookie(nowhere):
    ana, bia = UserStore("token-of-ana", Deadline(5)), UserStore("token-of-bia", Deadline(5))
    for store in (ana, bia, ana):
        store.tenant("1")
    assert [request.headers["authorization"] for request in nowhere.requests] == [
        "Bearer token-of-ana",
        "Bearer token-of-bia",
        "Bearer token-of-ana",
    ]
    # The first answer set a cookie. It is the first person's, if anybody's.
    assert "cookie" not in nowhere.requests[1].headers
    assert "authorization" not in ana._client.session.headers
    assert "authorization" not in bia._client.session.headers
    assert ana._client.session is not bia._client.session


def test_the_pool_is_one_for_the_process_and_knows_no_person(settings):
    pool = user_store._connections()
    assert pool is user_store._connections()
    assert isinstance(pool, httpx.HTTPTransport)
    assert not hasattr(pool, "headers")
    UserStore("token-of-ana", Deadline(5))._client.session.close()
    # A request that ends does not close what the others use.
    assert pool is user_store._connections()
    with pytest.raises(httpx.UnsupportedProtocol):
        pool.handle_request(httpx.Request("GET", "nothing://here"))


def test_the_deadline_of_one_does_not_change_that_of_the_other(nowhere):
    patient, hasty = UserStore("patient", Deadline(60)), UserStore("hasty", Deadline(0.5))
    queries = [store._client.from_("tenants").select("name") for store in (patient, hasty)]
    # The patient one is made first, and sent after the hasty one has set and used its time.
    for store, query in ((hasty, queries[1]), (patient, queries[0]), (hasty, queries[1])):
        store._run(query)
    given = [request.extensions["timeout"] for request in nowhere.requests]
    assert [waits["read"] for waits in given][1] == MAXIMUM_SECONDS
    assert given[1]["connect"] == CONNECT_SECONDS
    for waits in (given[0], given[2]):
        assert max(waits.values()) <= 0.5


def test_a_value_that_is_no_json_is_refused_by_name_before_anything_is_sent(nowhere):
    store = UserStore("token", Deadline(5))
    for vector in ([float("nan")], [float("inf")]):
        with pytest.raises(Problem) as caught:
            store.search_knowledge("1", vector, "x", 1)
        assert (caught.value.name, caught.value.status) == ("value_refused", 422)
    assert nowhere.requests == []
