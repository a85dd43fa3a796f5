"""The door: keys that do not open, and what the local project does not have and says so."""

from collections.abc import Callable

import httpx
import pytest
from supabase import Client

from local.supabase import application, generate_keys

from .conftest import Target

Send = Callable[..., httpx.Response]


@pytest.fixture
def local_only(target: Target) -> None:
    if target.hosted:
        pytest.skip("the hosted project has this")


@pytest.mark.parametrize("key", [None, "", "sb_publishable_wrong", "sb_secret_wrong"])
@pytest.mark.parametrize("path", ["/rest/v1/contract_words", "/auth/v1/settings", "/auth/v1/user"])
def test_keys_that_do_not_open(request_raw: Send, key: str | None, path: str) -> None:
    assert request_raw("GET", path, key).status_code == 401


def test_the_public_key_needs_no_key(request_raw: Send) -> None:
    answer = request_raw("GET", "/auth/v1/.well-known/jwks.json", None)
    assert answer.status_code == 200
    assert {"kty", "crv", "x", "y", "kid", "alg"} <= answer.json()["keys"][0].keys()
    assert "d" not in answer.json()["keys"][0], "never the private half"
    assert "max-age=600" in answer.headers["cache-control"]


def test_another_key_as_bearer_is_refused(request_raw: Send, target: Target) -> None:
    headers = {"Authorization": f"Bearer {target.secret}"}
    assert request_raw("GET", "/rest/v1/contract_words", target.publishable, headers=headers).status_code == 401


def test_a_browser_cannot_use_the_secret_key(request_raw: Send, target: Target) -> None:
    headers = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}
    assert request_raw("GET", "/rest/v1/contract_words", target.secret, headers=headers).status_code == 401


def test_a_user_token_with_the_secret_key_keeps_row_level_security(
    request_raw: Send, target: Target, new_person: Callable[[], Client]
) -> None:
    ana, bob = new_person(), new_person()
    ana.table("contract_notes").insert({"title": "of ana"}).execute()
    session = bob.auth.get_session()
    assert session is not None
    headers = {"Authorization": f"Bearer {session.access_token}"}
    assert request_raw("GET", "/rest/v1/contract_notes", target.secret, headers=headers).json() == []


def test_the_user_needs_a_user_token(request_raw: Send, target: Target) -> None:
    headers = {"Authorization": f"Bearer {target.publishable}"}
    answer = request_raw("GET", "/auth/v1/user", target.publishable, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (403, "bad_jwt")


def test_health(request_raw: Send, target: Target) -> None:
    assert request_raw("GET", "/auth/v1/health", target.publishable).json()["name"] == "GoTrue"


@pytest.mark.usefixtures("local_only")
@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("contract_children?select=id,contract_parents(id)", "embedding"),
        ("contract_words?select=count()", "aggregate"),
        ("contract_words?select=size.sum()", "aggregate"),
        ("contract_words?select=label:word", "alias"),
        ("contract_words?select=id::text", "cast"),
        ("contract_notes?tags->>a=eq.1", "JSON path"),
        ("contract_words?word=fts.uno", "fts"),
        ("contract_words?word=match.^u", "match"),
        ("contract_words?id=eq(any).{1,2}", "eq(any)"),
        ("", "OpenAPI"),
    ],
)
def test_missing_parts_name_themselves(request_raw: Send, target: Target, path: str, named: str) -> None:
    answer = request_raw("GET", f"/rest/v1/{path}", target.secret)
    assert answer.status_code == 501
    assert named in answer.json()["message"]


@pytest.mark.usefixtures("local_only")
@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Accept", "text/csv"),
        ("Accept", "application/vnd.pgrst.plan+json"),
        ("Prefer", "count=planned"),
        ("Prefer", "missing=default"),
        ("Prefer", "max-affected=1"),
    ],
)
def test_missing_representations(request_raw: Send, target: Target, header: str, value: str) -> None:
    answer = request_raw("GET", "/rest/v1/contract_words", target.secret, headers={header: value})
    assert answer.status_code == 501


@pytest.mark.usefixtures("local_only")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/auth/v1/otp"),
        ("POST", "/auth/v1/recover"),
        ("POST", "/auth/v1/token?grant_type=pkce"),
        ("GET", "/auth/v1/authorize"),
        ("POST", "/auth/v1/admin/generate_link"),
        ("GET", "/storage/v1/bucket"),
        ("POST", "/functions/v1/hello"),
    ],
)
def test_missing_services_name_themselves(request_raw: Send, target: Target, method: str, path: str) -> None:
    answer = request_raw(method, path, target.secret)
    assert answer.status_code == 501
    assert "does not have" in answer.text


def test_it_is_not_made_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORTERO_LOCAL", raising=False)
    with pytest.raises(RuntimeError, match="PORTERO_LOCAL=1"):
        application(lambda role: "", generate_keys(), "http://127.0.0.1")
    monkeypatch.setenv("PORTERO_LOCAL", "1")
    assert application(lambda role: "", generate_keys(), "http://127.0.0.1")
