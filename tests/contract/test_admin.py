"""Managing users with the secret key."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from supabase import AuthApiError, Client

from .conftest import PASSWORD, Target


def test_a_user_from_cradle_to_grave(service: Client, new_email: Callable[[], str]) -> None:
    admin, email = service.auth.admin, new_email()
    made = admin.create_user(
        {"email": email, "user_metadata": {"name": "Ana"}, "app_metadata": {"plan": "free"}, "email_confirm": True}
    ).user
    assert (made.email, made.user_metadata["name"], made.app_metadata["plan"]) == (email, "Ana", "free")
    assert made.app_metadata["provider"] == "email"
    assert made.email_confirmed_at is not None
    assert admin.get_user_by_id(made.id).user == made
    changed = admin.update_user_by_id(made.id, {"app_metadata": {"plan": "pro"}, "user_metadata": {"name": None}}).user
    assert (changed.app_metadata["plan"], changed.app_metadata["provider"]) == ("pro", "email")
    assert "name" not in changed.user_metadata
    admin.delete_user(made.id)
    with pytest.raises(AuthApiError) as caught:
        admin.get_user_by_id(made.id)
    assert (caught.value.code, caught.value.status) == ("user_not_found", 404)


def test_a_given_id_is_kept(service: Client, new_email: Callable[[], str]) -> None:
    wanted = str(uuid.uuid4())
    assert service.auth.admin.create_user({"id": wanted, "email": new_email()}).user.id == wanted


def test_list_in_pages(service: Client, new_person: Callable[[], Client]) -> None:
    people = {new_person().auth.get_session().user.id for _ in range(3)}  # type: ignore[union-attr]
    newest = service.auth.admin.list_users(page=1, per_page=2)
    older = service.auth.admin.list_users(page=2, per_page=2)
    assert len(newest) == 2
    assert {user.id for user in [*newest, *older]} >= people


def test_an_address_serves_once(service: Client, person: Client) -> None:
    session = person.auth.get_session()
    assert session is not None
    with pytest.raises(AuthApiError) as caught:
        service.auth.admin.create_user({"email": str(session.user.email)})
    assert (caught.value.code, caught.value.status) == ("email_exists", 422)


def test_an_unconfirmed_address_cannot_sign_in(service: Client, anon: Client, new_email: Callable[[], str]) -> None:
    email = new_email()
    service.auth.admin.create_user({"email": email, "password": PASSWORD})
    with pytest.raises(AuthApiError) as caught:
        anon.auth.sign_in_with_password({"email": email, "password": PASSWORD})
    assert caught.value.code == "email_not_confirmed"


def test_a_ban(service: Client, person: Client) -> None:
    session = person.auth.get_session()
    assert session is not None
    service.auth.admin.update_user_by_id(session.user.id, {"ban_duration": "1h30m"})
    refused: list[Callable[[], object]] = [
        person.auth.get_user,
        person.auth.refresh_session,
        lambda: person.auth.sign_in_with_password({"email": str(session.user.email), "password": PASSWORD}),
    ]
    for act in refused:
        with pytest.raises(AuthApiError) as caught:
            act()
        assert caught.value.code == "user_banned"
    service.auth.admin.update_user_by_id(session.user.id, {"ban_duration": "none"})
    assert person.auth.sign_in_with_password({"email": str(session.user.email), "password": PASSWORD}).session


def test_soft_deletion_keeps_an_unrecognisable_row(service: Client, person: Client) -> None:
    session = person.auth.get_session()
    assert session is not None
    service.auth.admin.delete_user(session.user.id, should_soft_delete=True)
    with pytest.raises(AuthApiError) as caught:
        person.auth.sign_in_with_password({"email": str(session.user.email), "password": PASSWORD})
    assert caught.value.code == "invalid_credentials"
    assert service.auth.admin.get_user_by_id(session.user.id).user.email != session.user.email
    service.auth.admin.delete_user(session.user.id)


def test_deletion_cascades(service: Client, person: Client) -> None:
    note = person.table("contract_notes").insert({"title": "x"}).execute().data[0]
    service.auth.admin.delete_user(note["owner"])
    assert service.table("contract_notes").select("id").eq("id", note["id"]).execute().data == []


def test_sign_out_of_another(service: Client, person: Client, target: Target) -> None:
    session = person.auth.get_session()
    assert session is not None
    service.auth.admin.sign_out(session.access_token)
    with pytest.raises(AuthApiError) as caught:
        person.auth.get_user()
    assert caught.value.code == "session_not_found"


def test_only_the_secret_key_manages(anon: Client, person: Client) -> None:
    session = person.auth.get_session()
    assert session is not None
    person.auth.admin._headers["Authorization"] = f"Bearer {session.access_token}"
    acts: list[Callable[[Any], object]] = [
        lambda admin: admin.list_users(),
        lambda admin: admin.get_user_by_id(session.user.id),
        lambda admin: admin.delete_user(session.user.id),
        lambda admin: admin.create_user({"email": "x@example.com"}),
        lambda admin: admin.mfa.list_factors({"user_id": session.user.id}),
    ]
    for client in (anon, person):
        for act in acts:
            with pytest.raises(AuthApiError) as caught:
                act(client.auth.admin)
            assert (caught.value.code, caught.value.status) == ("not_admin", 403)
