"""The options of `jwt()` with tokens of the offline Auth: signed in, stepped up, signed out."""

import json
import time
from typing import Any

import jwt
import pytest

from local.aws import OPERATOR
from local.seed import Owner, second_factor, sign_in, sign_out
from local.supabase.keys import SupabaseKeys
from local.world import World
from shared import clock
from shared.cloud import parameters
from shared.errors import Refused, Unavailable
from shared.guard.kinds import Jwt
from shared.guard.kinds import jwt as declare
from shared.guard.request import Caller, HttpCall
from shared.guard.verify.signing_keys import forget_keys

STRICT = {"aal2": True, "fresh_totp": 300, "live_session": True}
PATH = "/app/delete-account"
SHARED_SECRET = "the-project's-shared-secret-of-at-least-32-bytes"


@pytest.fixture
def environment(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The settings of a console function, around the guard alone."""
    for name, value in world.variables["app_delete_account"].items():
        monkeypatch.setenv(name, value)
    parameters.forget()
    forget_keys()
    return world


def admit(token: str, kind: Jwt | None = None, now: float | None = None) -> Caller:
    call = HttpCall("POST", {"authorization": f"Bearer {token}"}, {}, b"", "203.0.113.9", "")
    caller = (kind or declare()).admit(call, clock.now() if now is None else now)
    assert isinstance(caller, Caller)
    return caller


def refusal(token: str, kind: Jwt | None = None, now: float | None = None) -> str:
    with pytest.raises(Refused) as caught:
        admit(token, kind, now)
    return caught.value.name


def claims_of(owner: Owner) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(owner.access_token, options={"verify_signature": False})
    return claims


def delete_account(world: World, owner: Owner) -> tuple[int, dict[str, Any]]:
    answer = world.call_as_owner(PATH, {}, owner)
    return answer.status_code, answer.json()


def test_the_caller_has_user_session_and_token(environment):
    owner = sign_in(environment.plan)
    caller = admit(owner.access_token)
    claims = claims_of(owner)
    assert (caller.kind, caller.user, caller.session) == ("user", claims["sub"], claims["session_id"])
    assert caller.token == owner.access_token


def test_an_account_is_deleted_only_after_a_fresh_code_in_a_living_session(world):
    weak = sign_in(world.plan)
    document = {"type": "about:blank", "title": "Unauthorized", "status": 401}
    assert delete_account(world, weak) == (401, document | {"detail": "Second factor needed."})
    strong = second_factor(world.plan, weak)
    assert delete_account(world, strong)[0] == 501
    with clock.held_at(time.time() + 301):
        assert delete_account(world, strong) == (401, document | {"detail": "Second factor needed."})
    assert delete_account(world, strong)[0] == 501
    sign_out(world.plan, strong)
    # Why it is refused now is nobody's business; where no living session is asked for, the token still serves.
    assert delete_account(world, strong) == (401, document)
    assert world.call_as_owner("/app/settings", {}, strong).status_code == 501


def test_each_option_refuses_by_its_own_name(environment):
    plan = environment.plan
    elsewhere, weak = sign_in(plan), sign_in(plan)
    strong = second_factor(plan, weak)
    everything = declare(**STRICT)
    assert admit(strong.access_token, everything)
    assert refusal(weak.access_token, declare(aal2=True)) == "second_factor_missing"
    stale = clock.now() + 301
    assert refusal(strong.access_token, everything, now=stale) == "second_factor_stale"
    assert admit(strong.access_token, declare(aal2=True), now=stale)
    # Who gives a second factor ends the sessions that have none.
    assert admit(elsewhere.access_token)
    assert refusal(elsewhere.access_token, declare(live_session=True)) == "session_revoked"
    sign_out(plan, strong)
    assert refusal(strong.access_token, everything) == "session_revoked"


def test_a_banned_and_a_deleted_user_has_no_living_session(environment):
    owner = sign_in(environment.plan)
    live = declare(live_session=True)
    assert admit(owner.access_token, live)
    environment.rows("update auth.users set banned_until = now() + interval '1 day'")
    assert refusal(owner.access_token, live) == "session_revoked"
    environment.rows("update auth.users set banned_until = null")
    assert admit(owner.access_token, live)
    environment.rows("update auth.users set deleted_at = now()")
    assert refusal(owner.access_token, live) == "session_revoked"


def test_without_auth_a_living_session_is_not_assumed(environment, monkeypatch):
    owner = sign_in(environment.plan)
    live = declare(live_session=True)
    assert admit(owner.access_token, live)
    with environment.away("supabase"):
        gone = environment.variables["app_delete_account"]["SUPABASE_URL"]
    # The keys are still known at the old address; only the question goes nowhere.
    real = environment.plan.url("supabase")
    monkeypatch.setattr("shared.guard.people.verify_session", _asking_at(gone, real))
    with pytest.raises(Unavailable):
        admit(owner.access_token, live)
    assert admit(owner.access_token)


def _asking_at(gone: str, real: str) -> Any:
    from shared.guard.verify.session import verify_session

    def ask(token: str, user: str, auth_url: str, key: str) -> None:
        verify_session(token, user, auth_url.replace(real, gone), key)

    return ask


def test_without_the_keys_nobody_is_let_in(world):
    owner = sign_in(world.plan)
    assert world.call_as_owner("/app/settings", {}, owner).status_code == 501
    with world.away("supabase"):
        answers = [world.call_as_owner("/app/settings", {}, owner) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {503}
    assert "retry-after" in answers[0].headers
    assert world.call_as_owner("/app/settings", {}, owner).status_code == 501


def test_another_issuer_counts_when_it_is_listed(environment, monkeypatch):
    keys = SupabaseKeys(
        *(getattr(environment.plan.keys, name) for name in ("publishable", "secret", "signing_key_pem"))
    )
    domain = "https://auth.shop.example/auth/v1"
    foreign = keys.sign(claims_of(sign_in(environment.plan)) | {"iss": domain})
    assert refusal(foreign) == "token_issuer"
    monkeypatch.setenv("SUPABASE_ISSUERS", f"https://other.example/auth/v1 {domain}")
    assert admit(foreign)
    assert admit(sign_in(environment.plan).access_token)


def test_the_shared_secret_of_old_is_read_only_where_the_guard_says_legacy(environment, caplog, monkeypatch):
    owner = sign_in(environment.plan)
    old = jwt.encode(claims_of(owner), SHARED_SECRET, algorithm="HS256")
    ssm = environment.cloud.client("ssm")
    name = "/portero/local/SUPABASE_JWT_SECRET"
    # No function of the template lists this secret, so none of their roles may read it.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", OPERATOR)
    assert admit(owner.access_token)
    assert refusal(old) == "token_algorithm"
    with pytest.raises(Unavailable) as caught:
        admit(old, declare(legacy=True))
    assert caught.value.name == "secret_missing_SUPABASE_JWT_SECRET"
    secrets = [{"value": "a-newer-one,which-is-also-32-bytes-or-longer", "expires": None}]
    secrets += [{"value": SHARED_SECRET, "expires": None}]
    try:
        ssm.put_parameter(Name=name, Value=json.dumps(secrets), Type="SecureString")
        assert admit(old, declare(legacy=True)).user == claims_of(owner)["sub"]
        assert [record.parameter for record in caplog.records if record.message == "old secret"] == [
            "SUPABASE_JWT_SECRET"
        ]
        assert refusal(old) == "token_algorithm"
    finally:
        ssm.delete_parameter(Name=name)
        parameters.forget()


def test_a_fresh_code_without_a_second_factor_is_a_contradiction():
    with pytest.raises(ValueError, match="aal2=True"):
        declare(fresh_totp=300)
