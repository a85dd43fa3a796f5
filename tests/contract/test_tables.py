"""Reading and writing tables."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from postgrest import APIError, CountMethod
from supabase import Client


@pytest.fixture
def words(service: Client) -> Iterator[Client]:
    """The service client; the words that a test adds (from id 100 on) are gone afterwards."""
    yield service
    service.table("contract_words").delete().gte("id", 100).execute()


def ids(answer: Any) -> list[int]:
    return sorted(row["id"] for row in answer.data)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (lambda table: table.eq("word", "uno"), [1]),
        (lambda table: table.neq("size", 3), [3, 4, 5]),
        (lambda table: table.gt("size", 4), [4, 5]),
        (lambda table: table.gte("size", 5), [4, 5]),
        (lambda table: table.lt("size", 4), [1, 2]),
        (lambda table: table.lte("size", 4), [1, 2, 3]),
        (lambda table: table.in_("id", [1, 5, 99]), [1, 5]),
        (lambda table: table.in_("note", ["a,b", 'say "hi"']), [2, 4]),
        (lambda table: table.in_("id", []), []),
        (lambda table: table.is_("note", None), [1]),
        (lambda table: table.not_.is_("note", None), [2, 3, 4, 5]),
        (lambda table: table.like("word", "%o%"), [1, 2, 4, 5]),
        (lambda table: table.like("word", "*es"), [3]),
        (lambda table: table.like("note", "UN_"), [5]),
        (lambda table: table.ilike("note", "uno"), [5]),
        (lambda table: table.not_.eq("id", 1), [2, 3, 4, 5]),
        (lambda table: table.not_.in_("id", [1, 2]), [3, 4, 5]),
        (lambda table: table.eq("note", "100%"), [3]),
        (lambda table: table.or_("id.eq.1,size.gt.5"), [1, 4]),
        (lambda table: table.or_("and(size.eq.3,word.eq.dos),id.eq.5"), [2, 5]),
        (lambda table: table.or_('note.eq."a,b",note.in.("UNO","x,y")'), [2, 5]),
        (lambda table: table.or_("id.not.in.(1,2,3),note.is.null"), [1, 4, 5]),
        (lambda table: table.not_.or_("id.eq.1,id.eq.2"), [3, 4, 5]),
        (lambda table: table.gt("id", 1).lt("id", 4), [2, 3]),
        (lambda table: table.match({"size": 3, "word": "dos"}), [2]),
    ],
)
def test_filters(anon: Client, query: Callable[[Any], Any], expected: list[int]) -> None:
    assert ids(query(anon.table("contract_words").select("*")).execute()) == expected


def test_columns_order_and_pages(anon: Client) -> None:
    table = anon.table("contract_words")
    assert table.select("word", "id").order("size", desc=True).order("word").limit(3).execute().data == [
        {"word": "cuatro", "id": 4},
        {"word": "cinco", "id": 5},
        {"word": "tres", "id": 3},
    ]
    by_note = table.select("id").order("note", nullsfirst=True).limit(1).execute().data
    assert by_note == [{"id": 1}]
    assert table.select("id").order("id").range(1, 2).execute().data == [{"id": 2}, {"id": 3}]
    assert table.select("id").order("id").offset(4).execute().data == [{"id": 5}]


def test_counts(anon: Client, request_raw: Callable[..., httpx.Response], target: Any) -> None:
    page = anon.table("contract_words").select("*", count=CountMethod.exact).gt("id", 1).order("id").limit(2).execute()
    assert (len(page.data), page.count) == (2, 4)
    head = anon.table("contract_words").select("*", count=CountMethod.exact, head=True).execute()
    assert (head.data, head.count) == ([], 5)
    path = "/rest/v1/contract_words?select=id&order=id"
    wishes = {"Prefer": "count=exact", "Range-Unit": "items", "Range": "1-2"}
    answer = request_raw("GET", path, target.publishable, headers=wishes)
    assert (answer.status_code, answer.headers["content-range"], answer.json()) == (
        206,
        "1-2/5",
        [{"id": 2}, {"id": 3}],
    )
    answer = request_raw("GET", path + "&offset=9", target.publishable, headers={"Prefer": "count=exact"})
    assert (answer.status_code, answer.json()["code"]) == (416, "PGRST103")


def test_single(anon: Client) -> None:
    table = anon.table("contract_words")
    assert table.select("word").eq("id", 1).single().execute().data == {"word": "uno"}
    assert table.select("word").eq("id", 99).maybe_single().execute() is None
    for chosen in (table.select("*").eq("id", 99), table.select("*")):
        with pytest.raises(APIError) as caught:
            chosen.single().execute()
        assert caught.value.code == "PGRST116"


def test_insert_one_and_many(words: Client) -> None:
    table = words.table("contract_words")
    assert table.insert({"id": 100, "word": "cien"}).execute().data == [
        {"id": 100, "word": "cien", "size": None, "note": None}
    ]
    rows = [{"id": 101, "word": "a"}, {"id": 102, "word": "b", "note": "x"}]
    assert [row["note"] for row in table.insert(rows).execute().data] == [None, "x"]
    assert table.insert({"id": 103, "word": "quiet"}, returning="minimal").execute().data == []
    assert ids(table.select("id").gte("id", 100).execute()) == [100, 101, 102, 103]
    assert table.insert([]).execute().data == []


def test_upsert(words: Client) -> None:
    table = words.table("contract_words")
    table.insert({"id": 100, "word": "cien", "size": 1}).execute()
    assert table.upsert({"id": 100, "word": "cien", "size": 2}).execute().data[0]["size"] == 2
    kept = table.upsert({"id": 100, "word": "cien", "size": 3}, ignore_duplicates=True).execute()
    assert kept.data == []
    by_word = table.upsert({"id": 100, "word": "cien", "size": 4}, on_conflict="word").execute()
    assert by_word.data[0]["size"] == 4
    many = table.upsert([{"id": 100, "word": "ciento"}, {"id": 101, "word": "ciento uno"}]).execute()
    assert ids(many) == [100, 101]


def test_update_and_delete(words: Client) -> None:
    table = words.table("contract_words")
    table.insert([{"id": 100, "word": "a"}, {"id": 101, "word": "b"}, {"id": 102, "word": "c"}]).execute()
    changed = table.update({"note": "new", "size": 7}).gte("id", 101).execute()
    assert [(row["note"], row["size"]) for row in changed.data] == [("new", 7)] * 2
    assert table.update({"note": "none"}).eq("id", 999).execute().data == []
    counted = table.delete(count=CountMethod.exact).in_("id", [100, 101]).execute()
    assert (ids(counted), counted.count) == ([100, 101], 2)
    assert table.delete(returning="minimal").eq("id", 102).execute().data == []
    assert table.select("id").gte("id", 100).execute().data == []


def test_json_and_vectors(person: Client) -> None:
    row = {"title": "t", "tags": {"a": [1, "ü"]}, "embedding": [1, 2, 3], "done": False}
    kept = person.table("contract_notes").insert(row).execute().data[0]
    assert (kept["tags"], kept["embedding"], kept["done"]) == ({"a": [1, "ü"]}, "[1,2,3]", False)
    found = person.table("contract_notes").select("id").is_("done", False).execute().data
    assert found == [{"id": kept["id"]}]


def test_rows_of_two_users_stay_apart(new_person: Callable[[], Client], service: Client) -> None:
    ana, bob = new_person(), new_person()
    note = ana.table("contract_notes").insert({"title": "of ana"}).execute().data[0]
    assert ana.table("contract_notes").select("title").execute().data == [{"title": "of ana"}]
    assert bob.table("contract_notes").select("*").execute().data == []
    assert bob.table("contract_notes").update({"title": "mine"}).eq("id", note["id"]).execute().data == []
    assert bob.table("contract_notes").delete().eq("id", note["id"]).execute().data == []
    with pytest.raises(APIError) as caught:
        bob.table("contract_notes").insert({"title": "forged", "owner": note["owner"]}).execute()
    assert caught.value.code == "42501"
    assert service.table("contract_notes").select("title").eq("id", note["id"]).single().execute().data == {
        "title": "of ana"
    }


def test_a_caller_that_may_write_but_not_read(anon: Client) -> None:
    """The row is refused by its policy, not by a missing right to read it back."""
    with pytest.raises(APIError) as caught:
        anon.table("contract_notes").insert({"title": "x"}, returning="minimal").execute()
    assert caught.value.code == "42501"
    assert "row-level security" in (caught.value.message or "")


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda client: client.table("contract_nowhere").select("*"), "PGRST205"),
        (lambda client: client.table("contract_words").select("nope"), "42703"),
        (lambda client: client.table("contract_words").select("*").eq("nope", 1), "42703"),
        (lambda client: client.table("contract_words").select("*").order("nope"), "42703"),
        (lambda client: client.table("contract_words").select("*").eq("id", "x"), "22P02"),
        (lambda client: client.table("contract_words").select("*").filter("id", "eqq", "1"), "PGRST100"),
        (lambda client: client.table("contract_words").select("*").is_("note", "maybe"), "PGRST100"),
        (lambda client: client.table("contract_words").insert({"nope": 1}), "PGRST204"),
        (lambda client: client.table("contract_words").insert({"id": 1, "word": "again"}), "23505"),
        (lambda client: client.table("contract_children").insert({"id": 1, "parent": 7}), "23503"),
        (lambda client: client.table("contract_words").insert({"id": 1}), "23502"),
        (lambda client: client.table("contract_unreachable").select("*"), "42501"),
        (lambda client: client.table("contract_words").delete(), "21000"),
        (lambda client: client.table("contract_words").update({"note": "x"}), "21000"),
        (lambda client: client.schema("private").table("contract_words").select("*"), "PGRST106"),
    ],
)
def test_error_codes(service: Client, act: Callable[[Client], Any], code: str) -> None:
    with pytest.raises(APIError) as caught:
        act(service).execute()
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("contract_unreachable", 401),
        ("contract_nowhere", 404),
        ("contract_words?id=eq.x", 400),
        ("contract_words?word=eq.%00", 400),
        ("contract_words", 200),
    ],
)
def test_statuses(request_raw: Callable[..., httpx.Response], target: Any, path: str, status: int) -> None:
    assert request_raw("GET", f"/rest/v1/{path}", target.publishable).status_code == status


def test_forbidden_for_a_user_is_403(request_raw: Callable[..., httpx.Response], target: Any, person: Client) -> None:
    session = person.auth.get_session()
    assert session is not None
    headers = {"Authorization": f"Bearer {session.access_token}"}
    answer = request_raw("GET", "/rest/v1/contract_unreachable", target.publishable, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "42501")
