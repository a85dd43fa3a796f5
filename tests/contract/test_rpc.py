"""Calling database functions as three roles."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from postgrest import APIError, CountMethod
from supabase import Client


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("contract_add", {"a": 1, "b": 2}, 3),
        ("contract_add", {"a": 1}, 11),
        ("contract_greet", {"name": "Ana"}, "hola Ana"),
        ("contract_greet", {"name": "Ana", "title": "doña"}, "hola doña Ana"),
        ("contract_numbers", {"n": 3}, [1, 2, 3]),
        ("contract_numbers", {"n": 0}, []),
        ("contract_table", {"n": 2}, [{"number": 1, "square": 1}, {"number": 2, "square": 4}]),
        ("contract_find", {"word_id": 3}, {"id": 3, "word": "tres", "size": 4, "note": "100%"}),
        ("contract_echo", {"payload": {"ñ": [1, None, "it's", "%s"]}}, {"ñ": [1, None, "it's", "%s"]}),
        ("contract_echo", {"payload": None}, None),
        ("contract_array", {"items": ["a", "b,c", 'd"e']}, 3),
        ("contract_distance", {"query_embedding": [3, 4, 0]}, 5.0),
    ],
)
def test_values_come_back(anon: Client, function: str, arguments: dict[str, Any], expected: object) -> None:
    assert anon.rpc(function, arguments).execute().data == expected


def test_void_answers_no_content(request_raw: Callable[..., httpx.Response], target: Any) -> None:
    answer = request_raw("POST", "/rest/v1/rpc/contract_nothing", target.publishable, json={})
    assert (answer.status_code, answer.content) == (204, b"")


def test_get_takes_arguments_from_the_query(anon: Client) -> None:
    assert anon.rpc("contract_add", {"a": 5, "b": 6}, get=True).execute().data == 11


def test_a_set_can_be_filtered_and_ordered(anon: Client) -> None:
    words = anon.rpc("contract_search", {"pattern": "%o%"}).select("word").gt("id", 1).order("word").limit(2).execute()
    assert words.data == [{"word": "cinco"}, {"word": "cuatro"}]


def test_roles_and_claims(anon: Client, service: Client, person: Client) -> None:
    session = person.auth.get_session()
    assert session is not None
    shown = {
        name: client.rpc("contract_who", {}).execute().data
        for name, client in {"anon": anon, "service": service, "person": person}.items()
    }
    assert shown["anon"] | {"timeout": ""} == {
        "role": "anon",
        "uid": None,
        "claims_role": "anon",
        "aal": None,
        "timeout": "",
    }
    assert (shown["anon"]["timeout"], shown["person"]["timeout"]) == ("3s", "8s")
    assert shown["service"]["role"] == shown["service"]["claims_role"] == "service_role"
    assert (shown["person"]["role"], shown["person"]["uid"]) == ("authenticated", session.user.id)
    assert shown["person"]["aal"] == "aal1"


def test_a_private_function_is_for_the_service_only(anon: Client, service: Client, person: Client) -> None:
    assert service.rpc("contract_private", {}).execute().data == 42
    for client in (anon, person):
        with pytest.raises(APIError) as caught:
            client.rpc("contract_private", {}).execute()
        assert caught.value.code == "42501"


@pytest.mark.parametrize("arguments", [{"nope": 1}, {"a": 1, "nope": 1}, {}])
def test_unknown_signature(anon: Client, arguments: dict[str, Any]) -> None:
    with pytest.raises(APIError) as caught:
        anon.rpc("contract_add", arguments).execute()
    assert caught.value.code == "PGRST202"


@pytest.mark.parametrize(
    ("state", "status"),
    [("P0001", 400), ("23505", 409), ("23503", 409), ("40001", 500), ("57014", 500), ("PT418", 418), ("42501", 401)],
)
def test_errors_of_the_database(
    request_raw: Callable[..., httpx.Response], target: Any, state: str, status: int
) -> None:
    arguments = {"state": state, "explanation": "no"}
    answer = request_raw("POST", "/rest/v1/rpc/contract_fail", target.publishable, json=arguments)
    assert answer.status_code == status
    assert answer.json() == {"code": state, "message": "no", "details": "a detail", "hint": "a hint"}


def test_wrong_value(anon: Client) -> None:
    with pytest.raises(APIError) as caught:
        anon.rpc("contract_add", {"a": "one"}).execute()
    assert caught.value.code == "22P02"


def test_a_stable_function_cannot_write(service: Client) -> None:
    service.rpc("contract_write", {}).execute()
    with pytest.raises(APIError) as caught:
        service.rpc("contract_sneaky", {}).execute()
    assert caught.value.code == "25006"
    with pytest.raises(APIError) as caught:
        service.rpc("contract_write", {}, get=True).execute()
    assert caught.value.code == "25006"


def test_a_count_does_not_call_twice(service: Client) -> None:
    try:
        added = service.rpc("contract_add_words", {"n": 3}, count=CountMethod.exact).gt("id", 101).limit(1).execute()
        assert (len(added.data), added.count) == (1, 2)
        kept = service.table("contract_words").select("id").gt("id", 100).execute().data
        assert len(kept) == 3
    finally:
        service.table("contract_words").delete().gt("id", 100).execute()


@pytest.mark.parametrize("function", ["contract_table", "contract_numbers"])
def test_a_thousand_rows_at_most(anon: Client, function: str) -> None:
    assert len(anon.rpc(function, {"n": 1001}).execute().data) == 1000


def test_a_limit_does_not_lift_the_cap(anon: Client) -> None:
    assert len(anon.rpc("contract_table", {"n": 1100}).limit(1050).execute().data) == 1000


@pytest.mark.parametrize("body", ["", "{", "[]", '"a"', "1"])
def test_malformed_body(request_raw: Callable[..., httpx.Response], target: Any, body: str) -> None:
    answer = request_raw(
        "POST",
        "/rest/v1/rpc/contract_add",
        target.publishable,
        content=body,
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["code"]) in ((400, "PGRST102"), (404, "PGRST202"))
