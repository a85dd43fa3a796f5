"""Sign-up, sign-in, refresh, sign-out, and the tokens as others verify them."""

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import jwt
import pytest
from postgrest import APIError
from supabase import AuthApiError, Client
from supabase_auth.errors import AuthWeakPasswordError

from .conftest import PASSWORD, Target


def session_of(client: Client) -> Any:
    session = client.auth.get_session()
    assert session is not None
    return session


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def refresh_by(target: Target, token: str) -> httpx.Response:
    return target.transport.post(
        f"{target.url}/auth/v1/token?grant_type=refresh_token",
        json={"refresh_token": token},
        headers={"apikey": target.publishable},
    )


def test_sign_up(anon: Client, new_email: Callable[[], str], target: Target) -> None:
    email = new_email()
    answer = anon.auth.sign_up({"email": email.upper(), "password": PASSWORD, "options": {"data": {"name": "Ana"}}})
    assert answer.user is not None
    assert (answer.user.email, answer.user.user_metadata["name"]) == (email, "Ana")
    if target.hosted and answer.session is None:
        pytest.skip("this hosted project confirms addresses by mail")
    with pytest.raises(AuthApiError) as caught:
        anon.auth.sign_up({"email": email, "password": PASSWORD})
    assert (caught.value.code, caught.value.status) == ("user_already_exists", 422)


def test_sign_up_refuses_weak_input(anon: Client, new_email: Callable[[], str]) -> None:
    with pytest.raises(AuthWeakPasswordError) as weak:
        anon.auth.sign_up({"email": new_email(), "password": "abc"})
    assert weak.value.reasons == ["length"]
    with pytest.raises(AuthApiError) as caught:
        anon.auth.sign_up({"email": "not an address", "password": PASSWORD})
    assert caught.value.code == "validation_failed"


def test_sign_in(person: Client) -> None:
    session = session_of(person)
    claims = claims_of(session.access_token)
    assert (claims["sub"], claims["role"], claims["aud"]) == (session.user.id, "authenticated", "authenticated")
    assert (claims["aal"], claims["is_anonymous"], claims["phone"]) == ("aal1", False, "")
    assert claims["email"] == session.user.email
    assert [entry["method"] for entry in claims["amr"]] == ["password"]
    assert claims["exp"] - claims["iat"] == session.expires_in
    assert str(uuid.UUID(claims["session_id"])) == claims["session_id"]
    assert claims["app_metadata"] == {"provider": "email", "providers": ["email"]}
    assert session.user.last_sign_in_at is not None
    assert [identity.provider for identity in session.user.identities] == ["email"]


@pytest.mark.parametrize(
    "body", ['{"email": 1}', '{"email": "a\\u0000@b.co"}', '{"password": "\\ud800"}', "[]", "{", '{"email": null}', ""]
)
@pytest.mark.parametrize("path", ["signup", "token?grant_type=password", "token?grant_type=refresh_token"])
def test_malformed_bodies(request_raw: Callable[..., httpx.Response], target: Target, path: str, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = request_raw("POST", f"/auth/v1/{path}", target.publishable, content=body, headers=headers)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("wrong", ["password", "email"])
def test_wrong_credentials(person: Client, anon: Client, wrong: str) -> None:
    given = {"email": str(session_of(person).user.email), "password": PASSWORD}
    with pytest.raises(AuthApiError) as caught:
        anon.auth.sign_in_with_password({**given, wrong: f"x{given[wrong]}"})
    assert (caught.value.code, caught.value.status) == ("invalid_credentials", 400)


def test_error_shape_without_an_api_version(request_raw: Callable[..., httpx.Response], target: Target) -> None:
    answer = request_raw("GET", "/auth/v1/user", target.publishable, headers={"Authorization": "Bearer x.y.z"})
    body = answer.json()
    assert (answer.status_code, body["code"], body["error_code"]) == (403, 403, "bad_jwt")
    assert isinstance(body["msg"], str)


def test_tokens_verify_through_the_published_key(person: Client, target: Target) -> None:
    token = session_of(person).access_token
    keys = jwt.PyJWKClient(f"{target.url}/auth/v1/.well-known/jwks.json", headers={"User-Agent": "contract"})
    key = keys.get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token,
        key,
        algorithms=["ES256", "RS256"],
        audience="authenticated",
        issuer=f"{target.url}/auth/v1",
        leeway=30,
        options={"require": ["exp", "iat", "sub", "aud", "iss"]},
    )
    assert claims["sub"] == session_of(person).user.id
    checked = person.auth.get_claims()
    assert checked is not None
    assert checked["claims"]["session_id"] == claims["session_id"]


def test_a_forged_token_is_refused(person: Client, target: Target, request_raw: Callable[..., httpx.Response]) -> None:
    token = session_of(person).access_token
    head, body, signature = token.split(".")
    other = jwt.encode(claims_of(token) | {"role": "service_role"}, "k" * 32, algorithm="HS256")
    for forged in (f"{head}.{other.split('.')[1]}.{signature}", other, f"{head}.{body}.", "x"):
        headers = {"Authorization": f"Bearer {forged}"}
        rest = request_raw("GET", "/rest/v1/contract_words", target.publishable, headers=headers)
        assert (rest.status_code, rest.json()["code"]) == (401, "PGRST301")
        user = request_raw("GET", "/auth/v1/user", target.publishable, headers=headers)
        assert (user.status_code, user.json()["error_code"]) == (403, "bad_jwt")


def test_an_expired_token_is_refused(
    person: Client, target: Target, request_raw: Callable[..., httpx.Response], move_clock: Callable[[float], None]
) -> None:
    token = session_of(person).access_token
    headers = {"Authorization": f"Bearer {token}"}
    # From the end that the token says: its beginning was some time ago, and cut to whole seconds.
    move_clock(claims_of(token)["exp"] + 29 - time.time())
    assert request_raw("GET", "/rest/v1/contract_words", target.publishable, headers=headers).status_code == 200
    move_clock(2)
    rest = request_raw("GET", "/rest/v1/contract_words", target.publishable, headers=headers)
    assert (rest.status_code, rest.json()["message"]) == (401, "JWT expired")
    assert request_raw("GET", "/auth/v1/user", target.publishable, headers=headers).json()["error_code"] == "bad_jwt"


def test_refresh(person: Client, target: Target) -> None:
    first = session_of(person)
    second = person.auth.refresh_session()
    assert second.session is not None
    assert second.session.refresh_token != first.refresh_token
    claims = claims_of(second.session.access_token)
    assert claims["session_id"] == claims_of(first.access_token)["session_id"]
    assert claims["amr"] == claims_of(first.access_token)["amr"]
    unknown = refresh_by(target, "nobody-has-this")
    assert (unknown.status_code, unknown.json()["error_code"]) == (400, "refresh_token_not_found")


def test_a_used_refresh_token_gives_the_active_one(
    person: Client, target: Target, move_clock: Callable[[float], None]
) -> None:
    first = session_of(person).refresh_token
    second = refresh_by(target, first).json()["refresh_token"]
    assert refresh_by(target, first).json()["refresh_token"] == second, "within 10 s"
    move_clock(60)
    assert refresh_by(target, first).json()["refresh_token"] == second, "later too: it is the active one's parent"
    third = refresh_by(target, second).json()["refresh_token"]
    assert third != second
    assert refresh_by(target, first).json()["error_code"] == "refresh_token_already_used"
    assert refresh_by(target, third).json()["error_code"] == "refresh_token_not_found", "the whole session has ended"
    with pytest.raises(AuthApiError) as caught:
        person.auth.get_user()
    assert caught.value.code == "session_not_found"


def test_concurrent_refreshes_agree(person: Client, target: Target) -> None:
    first = session_of(person).refresh_token
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: refresh_by(target, first), range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


def test_an_old_refresh_token_within_the_interval(person: Client, target: Target) -> None:
    first = session_of(person).refresh_token
    second = refresh_by(target, first).json()["refresh_token"]
    third = refresh_by(target, second).json()["refresh_token"]
    assert refresh_by(target, first).json()["refresh_token"] == third


@pytest.mark.parametrize(
    ("scope", "own", "other"), [("global", False, False), ("local", False, True), ("others", True, False)]
)
def test_sign_out(
    person: Client, open_client: Callable[[str], Client], target: Target, scope: Any, own: bool, other: bool
) -> None:
    one = session_of(person)
    second = open_client(target.publishable)
    second.auth.sign_in_with_password({"email": str(one.user.email), "password": PASSWORD})
    two = session_of(second)
    person.auth.sign_out({"scope": scope})

    def is_live(token: str) -> bool:
        answer = target.transport.get(
            f"{target.url}/auth/v1/user", headers={"apikey": target.publishable, "Authorization": f"Bearer {token}"}
        )
        return answer.status_code == 200

    assert (is_live(one.access_token), is_live(two.access_token)) == (own, other)
    still_signed = open_client(target.publishable)
    still_signed.postgrest.auth(one.access_token)
    assert still_signed.rpc("contract_who", {}).execute().data["uid"] == one.user.id, "access tokens outlive sign-out"


def test_update_user(person: Client, open_client: Callable[[str], Client], target: Target) -> None:
    email = str(session_of(person).user.email)
    second = open_client(target.publishable)
    second.auth.sign_in_with_password({"email": email, "password": PASSWORD})
    updated = person.auth.update_user({"data": {"name": "Bea"}, "password": "another fine password"})
    assert updated.user.user_metadata["name"] == "Bea"
    assert person.auth.get_user().user.user_metadata["name"] == "Bea"  # type: ignore[union-attr]
    with pytest.raises(AuthApiError) as caught:
        second.auth.get_user()
    assert caught.value.code == "session_not_found", "a new password ends the other sessions"
    with pytest.raises(AuthApiError) as same:
        person.auth.update_user({"password": "another fine password"})
    assert same.value.code == "same_password"
    second.auth.sign_in_with_password({"email": email, "password": "another fine password"})


def test_a_deleted_user_is_gone_for_auth(person: Client, service: Client) -> None:
    service.auth.admin.delete_user(session_of(person).user.id)
    with pytest.raises(AuthApiError) as caught:
        person.auth.get_user()
    assert caught.value.code == "user_not_found"
    with pytest.raises(APIError) as foreign:
        person.table("contract_notes").insert({"title": "x"}).execute()
    assert foreign.value.code == "23503"
