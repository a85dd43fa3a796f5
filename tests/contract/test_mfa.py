"""A second factor: enrol, challenge, verify, and what an aal2 session may."""

from collections.abc import Callable
from typing import Any

import jwt
import pytest
from supabase import AuthApiError, Client

from local.supabase.totp import code_at

from .conftest import PASSWORD, Target


def claims_of(client: Client) -> dict[str, Any]:
    session = client.auth.get_session()
    assert session is not None
    claims: dict[str, Any] = jwt.decode(session.access_token, options={"verify_signature": False})
    return claims


def enroll(client: Client, name: str = "phone") -> tuple[str, str]:
    factor = client.auth.mfa.enroll({"factor_type": "totp", "friendly_name": name, "issuer": "Portero"})
    assert factor.totp is not None
    assert factor.totp.uri.startswith("otpauth://totp/Portero:")
    assert factor.totp.secret in factor.totp.uri
    assert factor.totp.qr_code.startswith("data:image/svg+xml;utf-8,<")
    return factor.id, factor.totp.secret


def strengthen(client: Client, target: Target) -> tuple[str, str]:
    factor, secret = enroll(client)
    client.auth.mfa.challenge_and_verify({"factor_id": factor, "code": code_at(secret, target.now())})
    return factor, secret


def test_the_way_to_aal2(person: Client, target: Target) -> None:
    before = claims_of(person)
    factor, secret = enroll(person)
    assert [(found.id, found.status) for found in person.auth.mfa.list_factors().all] == [(factor, "unverified")]
    challenge = person.auth.mfa.challenge({"factor_id": factor})
    assert 290 <= challenge.expires_at - target.now() <= 301
    code = code_at(secret, target.now())
    person.auth.mfa.verify({"factor_id": factor, "challenge_id": challenge.id, "code": code})
    claims = claims_of(person)
    assert (before["aal"], claims["aal"]) == ("aal1", "aal2")
    assert claims["session_id"] == before["session_id"]
    assert [entry["method"] for entry in claims["amr"]] == ["totp", "password"]
    assert person.rpc("contract_who", {}).execute().data["aal"] == "aal2"
    assert [found.id for found in person.auth.mfa.list_factors().totp] == [factor]


def test_aal2_survives_a_refresh(person: Client, target: Target) -> None:
    strengthen(person, target)
    person.auth.refresh_session()
    claims = claims_of(person)
    assert claims["aal"] == "aal2"
    assert {entry["method"] for entry in claims["amr"]} == {"totp", "password"}


def test_verification_ends_the_weak_sessions(
    person: Client, open_client: Callable[[str], Client], target: Target
) -> None:
    weak = open_client(target.publishable)
    weak.auth.sign_in_with_password({"email": claims_of(person)["email"], "password": PASSWORD})
    strengthen(person, target)
    with pytest.raises(AuthApiError) as caught:
        weak.auth.get_user()
    assert caught.value.code == "session_not_found"
    assert person.auth.get_user() is not None


def test_a_wrong_code(person: Client, target: Target) -> None:
    factor, secret = enroll(person)
    wrong = str((int(code_at(secret, target.now())) + 1) % 10**6).zfill(6)
    with pytest.raises(AuthApiError) as caught:
        person.auth.mfa.challenge_and_verify({"factor_id": factor, "code": wrong})
    assert (caught.value.code, caught.value.status) == ("mfa_verification_failed", 422)
    assert claims_of(person)["aal"] == "aal1"


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_one_step_of_tolerance(person: Client, target: Target, move_clock: Callable[[float], None], steps: int) -> None:
    factor, secret = enroll(person)
    move_clock(35 - target.now() % 30)  # early in a step, so that the step does not change under the test
    code = code_at(secret, target.now() + 30 * steps)
    person.auth.mfa.challenge_and_verify({"factor_id": factor, "code": code})
    assert claims_of(person)["aal"] == "aal2"


@pytest.mark.parametrize("steps", [-2, 2])
def test_two_steps_are_too_many(
    person: Client, target: Target, move_clock: Callable[[float], None], steps: int
) -> None:
    factor, secret = enroll(person)
    move_clock(35 - target.now() % 30)
    code = code_at(secret, target.now() + 30 * steps)
    with pytest.raises(AuthApiError) as caught:
        person.auth.mfa.challenge_and_verify({"factor_id": factor, "code": code})
    assert caught.value.code == "mfa_verification_failed"


def test_a_challenge_serves_once(person: Client, target: Target) -> None:
    factor, secret = enroll(person)
    challenge = person.auth.mfa.challenge({"factor_id": factor})
    attempt: Any = {"factor_id": factor, "challenge_id": challenge.id, "code": code_at(secret, target.now())}
    person.auth.mfa.verify(attempt)
    with pytest.raises(AuthApiError) as caught:
        person.auth.mfa.verify(attempt)
    assert caught.value.code == "mfa_ip_address_mismatch"


def test_a_challenge_expires(person: Client, target: Target, move_clock: Callable[[float], None]) -> None:
    factor, secret = enroll(person)
    challenge = person.auth.mfa.challenge({"factor_id": factor})
    move_clock(301)
    attempt: Any = {"factor_id": factor, "challenge_id": challenge.id, "code": code_at(secret, target.now())}
    with pytest.raises(AuthApiError) as caught:
        person.auth.mfa.verify(attempt)
    assert caught.value.code == "mfa_challenge_expired"


def test_a_factor_of_somebody_else(person: Client, new_person: Callable[[], Client]) -> None:
    factor, _ = enroll(new_person())
    with pytest.raises(AuthApiError) as caught:
        person.auth.mfa.challenge({"factor_id": factor})
    assert caught.value.code == "mfa_factor_not_found"


def test_what_needs_aal2(person: Client, open_client: Callable[[str], Client], target: Target) -> None:
    factor, secret = strengthen(person, target)
    weak = open_client(target.publishable)
    weak.auth.sign_in_with_password({"email": claims_of(person)["email"], "password": PASSWORD})
    refused: list[Callable[[], object]] = [
        lambda: weak.auth.mfa.unenroll({"factor_id": factor}),
        lambda: weak.auth.mfa.enroll({"factor_type": "totp", "friendly_name": "second"}),
        lambda: weak.auth.update_user({"password": "a brand new password"}),
    ]
    for act in refused:
        with pytest.raises(AuthApiError) as caught:
            act()
        assert caught.value.code == "insufficient_aal"
    weak.auth.mfa.challenge_and_verify({"factor_id": factor, "code": code_at(secret, target.now())})
    assert weak.auth.mfa.unenroll({"factor_id": factor}).id == factor
    assert claims_of(weak)["aal"] == "aal2", "the token says so until it is refreshed"
    weak.auth.refresh_session()
    assert claims_of(weak)["aal"] == "aal1"


def test_names_differ(person: Client) -> None:
    enroll(person, "same")
    with pytest.raises(AuthApiError) as caught:
        enroll(person, "same")
    assert caught.value.code == "mfa_factor_name_conflict"


def test_only_one_time_codes_are_on(person: Client) -> None:
    with pytest.raises(AuthApiError) as caught:
        person.auth.mfa.enroll({"factor_type": "phone", "phone": "+5491100000000"})
    assert caught.value.code == "mfa_phone_enroll_not_enabled"


def test_factors_for_the_admin(person: Client, service: Client, target: Target) -> None:
    factor, _ = strengthen(person, target)
    user = claims_of(person)["sub"]
    assert [(found.id, found.status) for found in service.auth.admin.mfa.list_factors({"user_id": user})] == [
        (factor, "verified")
    ]
    assert service.auth.admin.mfa.delete_factor({"user_id": user, "id": factor}).id == factor
    assert service.auth.admin.mfa.list_factors({"user_id": user}) == []
