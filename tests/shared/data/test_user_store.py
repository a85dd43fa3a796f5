"""One identity a request: nothing of one person's request is seen by, or done with the rights of, another's."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from local.seed import Owner, open_account
from local.world import World
from shared.assistant.model import DIMENSIONS
from shared.clock import Deadline
from shared.cloud import transport
from shared.cloud.transport import Answer
from shared.data.user_store import MAXIMUM_SECONDS, UserStore
from shared.errors import Problem, Unavailable
from tests.outbound import answer_by

ROUNDS = 60
SOMEWHERE = [1.0] + [0.0] * (DIMENSIONS - 1)


@pytest.fixture
def settings(world: World, monkeypatch):
    """What ai_chat finds in its environment, for every thread of the test."""
    for name, value in world.variables["ai_chat"].items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def wire(settings, monkeypatch) -> list[tuple[Mapping[str, str], float]]:
    """The real connections, watched: headers and seconds of every request."""
    requests: list[tuple[Mapping[str, str], float]] = []
    plain = transport.send

    def send(to: Any, method: str, url: str, headers: Any, body: bytes, seconds: float, **more: Any) -> Answer:
        requests.append((headers, seconds))
        return plain(to, method, url, headers, body, seconds, **more)

    monkeypatch.setattr(transport, "send", send)
    return requests


@pytest.fixture
def nowhere(settings, monkeypatch) -> list[httpx.Request]:
    """No connection: every request is answered on the spot, with a cookie."""
    cookie = {"set-cookie": "session=of-the-first; Path=/"}
    return answer_by(monkeypatch, lambda request: httpx.Response(200, json=[{"name": "x"}], headers=cookie))


def test_without_time_left_nothing_is_asked(world, wire):
    assert UserStore(world.owner.access_token, Deadline(5)).tenant(world.owner.tenant)["language"] == "es"
    asked = len(wire)
    with pytest.raises(Unavailable) as caught:
        UserStore(world.owner.access_token, Deadline(0)).tenant(world.owner.tenant)
    assert caught.value.name == "database_deadline"
    assert len(wire) == asked


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
    assert len(wire) == 2 * 2 * ROUNDS
    tokens = [headers["authorization"] for headers, _ in wire]
    assert {*tokens} == {f"Bearer {ana.access_token}", f"Bearer {bia.access_token}"}
    assert tokens.count(f"Bearer {ana.access_token}") == len(tokens) / 2


def test_what_is_shared_carries_no_authorization_and_no_cookie(nowhere):
    ana, bia = UserStore("token-of-ana", Deadline(5)), UserStore("token-of-bia", Deadline(5))
    for store in (ana, bia, ana):
        store.tenant("1")
    assert [request.headers["authorization"] for request in nowhere] == [
        "Bearer token-of-ana",
        "Bearer token-of-bia",
        "Bearer token-of-ana",
    ]
    # The first answer set a cookie. It is the first person's, if anybody's.
    assert "cookie" not in nowhere[1].headers
    assert "authorization" not in ana._client.session.headers
    assert "authorization" not in bia._client.session.headers
    assert ana._client.session is not bia._client.session


def test_a_connection_serves_one_person_after_the_other(world, settings):
    transport.forget()
    ana, bia = (open_account(world.plan, f"{name}@negocio.example", name) for name in ("ana", "bia"))
    kept = []
    for own in (ana, bia, ana):
        store = UserStore(own.access_token, Deadline(5))
        assert store.tenant(own.tenant)["name"] == ("ana" if own is ana else "bia")
        # A request that ends does not close what the others use.
        store._client.session.close()
        kept.append(dict(transport._kept))
    assert kept[0]
    assert kept[0] == kept[1] == kept[2]


@pytest.mark.parametrize("answer", [b"hello", b"[" * 10_000, b'"\xff"'])
def test_an_answer_that_is_no_json_is_unavailable(settings, monkeypatch, answer):
    answer_by(monkeypatch, lambda request: httpx.Response(200, content=answer))
    store = UserStore("token", Deadline(5))
    for ask in (lambda: store.tenant("1"), lambda: store.search_knowledge("1", [1.0], "x", 1)):
        with pytest.raises(Unavailable, match="database_malformed"):
            ask()
    answer_by(monkeypatch, lambda request: httpx.Response(200, json=[{"name": "x"}]))
    assert store.tenant("1") == {"name": "x"}


def test_the_deadline_of_one_does_not_change_that_of_the_other(nowhere):
    patient, hasty = UserStore("patient", Deadline(60)), UserStore("hasty", Deadline(0.5))
    queries = [store._client.from_("tenants").select("name") for store in (patient, hasty)]
    # The patient one is made first, and sent after the hasty one has set and used its time.
    for store, query in ((hasty, queries[1]), (patient, queries[0]), (hasty, queries[1])):
        store._run(query)
    hasty_first, patient_one, hasty_second = (request.extensions["timeout"]["read"] for request in nowhere)
    assert patient_one == MAXIMUM_SECONDS
    assert max(hasty_first, hasty_second) <= 0.5


def test_a_value_that_is_no_json_is_refused_by_name_before_anything_is_sent(nowhere):
    store = UserStore("token", Deadline(5))
    for vector in ([float("nan")], [float("inf")]):
        with pytest.raises(Problem) as caught:
            store.search_knowledge("1", vector, "x", 1)
        assert (caught.value.name, caught.value.status) == ("value_refused", 422)
    assert nowhere == []
