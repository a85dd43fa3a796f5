"""When the keys of a project are fetched, and what happens when they cannot be."""

import json
import threading
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, RSAAlgorithm

from shared.cloud import transport
from shared.cloud.transport import Answer
from shared.errors import Problem, Refused, Unavailable
from shared.guard.verify.signing_keys import SigningKeys, forget_keys, keys_at
from shared.settings import Setting

NOW = 1_800_000_000.0
ADDRESS = "https://project.example/auth/v1/.well-known/jwks.json"
EC = json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key()))
RSA = json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key()))


class Project:
    """Stands for the endpoint: what it publishes, and how often it was asked."""

    def __init__(self) -> None:
        self.keys: list[object] = [EC | {"kid": "one", "alg": "ES256"}]
        self.asked = 0
        self.answer: Callable[[], Answer] = lambda: Answer(200, json.dumps({"keys": self.keys}).encode())

    def send(
        self, to: Setting, method: str, url: str, headers: dict[str, str], *rest: object, max_bytes: int
    ) -> Answer:
        assert (to, method, url, *rest) == (Setting.SUPABASE_URL, "GET", ADDRESS, b"", 2.0)
        assert max_bytes == 64 * 1024
        assert headers["user-agent"]
        self.asked += 1
        return self.answer()


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Project:
    standing_in = Project()
    monkeypatch.setattr(transport, "send", standing_in.send)
    return standing_in


@pytest.fixture
def keys(project: Project) -> SigningKeys:
    return SigningKeys(ADDRESS)


def problem(keys: SigningKeys, name: str, now: float) -> str:
    with pytest.raises(Problem) as caught:
        keys.find(name, now)
    assert isinstance(caught.value, Refused if caught.value.status == 401 else Unavailable)
    return caught.value.name


def away() -> Answer:
    raise Unavailable("upstream_timeout")


def test_keys_are_fetched_once_in_five_minutes(keys, project):
    for now, asked in [(NOW, 1), (NOW + 1, 1), (NOW + 299, 1), (NOW + 300, 2), (NOW + 301, 2)]:
        assert keys.find("one", now).key_id == "one"
        assert project.asked == asked, now


def test_a_key_of_today_is_found_by_one_more_fetch_and_a_forged_one_makes_one_in_half_a_minute(keys, project):
    assert keys.find("one", NOW)
    assert problem(keys, "two", NOW + 29) == "token_key_unknown"
    assert project.asked == 1
    project.keys.append(EC | {"kid": "two", "alg": "ES256"})
    assert keys.find("two", NOW + 30)
    for name in ("forged", "forged too"):
        assert problem(keys, name, NOW + 31) == "token_key_unknown"
    assert project.asked == 2


def test_a_failed_fetch_turns_everybody_away_at_once_for_ten_seconds(keys, project):
    answer, project.answer = project.answer, away
    for now, asked in [(NOW, 1), (NOW + 1, 1), (NOW + 9, 1), (NOW + 10, 2)]:
        assert problem(keys, "one", now) == "token_keys_unreachable"
        assert project.asked == asked, now
    project.answer = answer
    assert keys.find("one", NOW + 20)


def test_while_they_are_fresh_keys_serve_without_their_endpoint_and_no_longer(keys, project):
    assert keys.find("one", NOW)
    project.answer = away
    assert problem(keys, "new", NOW + 200) == "token_keys_unreachable"
    assert keys.find("one", NOW + 299)
    assert problem(keys, "one", NOW + 300) == "token_keys_unreachable"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, b'{"keys": []}'),
        Answer(302, b""),
        Answer(404, b"{}"),
        Answer(200, b""),
        Answer(200, b"<html>"),
        Answer(200, b"[]"),
        Answer(200, b"{}"),
        Answer(200, b'{"keys": 1}'),
        Answer(200, b'{"keys": [1]}'),
        Answer(200, b"[" * 100_000),
        Answer(200, b"\xff"),
    ],
)
def test_what_is_no_key_set_is_no_answer(keys, project, answer):
    project.answer = lambda: answer
    assert problem(keys, "one", NOW) == "token_keys_unreachable"
    assert problem(keys, "one", NOW + 1) == "token_keys_unreachable"
    assert project.asked == 1


def test_a_project_without_published_keys_admits_nobody(keys, project):
    project.keys = []
    assert problem(keys, "one", NOW) == "token_keys_missing"


@pytest.mark.parametrize(
    "entry",
    [
        json.loads(HMACAlgorithm.to_jwk(b"a shared secret that somebody published")) | {"alg": "HS256"},
        EC | {"alg": "ES256", "use": "enc"},
        EC | {"alg": "ES512"},
        RSA | {"alg": "PS256"},
        {"kty": "EC", "alg": "ES256"},
        {"kty": "OKP", "crv": "?"},
        {"kty": []},
        {},
    ],
)
def test_only_keys_for_the_admitted_algorithms_are_kept(keys, project, entry):
    project.keys = [entry | {"kid": "bad"}, EC | {"kid": "one"}, RSA | {"kid": "three", "alg": "RS256"}]
    assert keys.find("one", NOW).algorithm_name == "ES256"
    assert keys.find("three", NOW).algorithm_name == "RS256"
    assert problem(keys, "bad", NOW) == "token_key_unknown"


def test_a_purge_makes_the_next_token_fetch(project):
    forget_keys()
    assert keys_at(ADDRESS) is keys_at(ADDRESS)
    assert keys_at(ADDRESS).find("one", NOW)
    project.keys = [EC | {"kid": "two", "alg": "ES256"}]
    forget_keys()
    assert keys_at(ADDRESS).find("two", NOW)
    assert problem(keys_at(ADDRESS), "one", NOW) == "token_key_unknown"
    forget_keys()


@pytest.mark.parametrize(("fails", "outcomes"), [(False, {"one"}), (True, {"token_keys_unreachable"})])
def test_many_threads_make_one_fetch(keys, project, fails, outcomes):
    answer, asking, may_answer = project.answer, threading.Event(), threading.Event()

    def slow() -> Answer:
        asking.set()
        assert may_answer.wait(10)
        return away() if fails else answer()

    project.answer = slow
    found: list[str] = []

    def ask() -> None:
        try:
            found.append(str(keys.find("one", NOW).key_id))
        except Unavailable as unavailable:
            found.append(unavailable.name)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert asking.wait(10)
    may_answer.set()
    for thread in threads:
        thread.join(10)
    assert (len(found), set(found), project.asked) == (8, outcomes, 1)
