"""A signed-in person: the token of a call, against the project that this suite is set up for."""

from shared.cloud.parameters import live
from shared.guard.request import Caller
from shared.guard.rotation import count_old
from shared.guard.verify import jwt
from shared.guard.verify.session import verify_session
from shared.guard.verify.signing_keys import keys_at
from shared.settings import Secret, Setting, is_url, read, read_list, read_url


def admit_person(
    authorization: str, now: float, *, aal2: bool, fresh_totp: int, live_session: bool, legacy: bool
) -> Caller:
    """The user, session and token of a bearer. `now` in seconds since the epoch; the options are those of `jwt()`.

    Raises Refused or Unavailable, by the names of the verifiers.
    """
    auth_url = f"{read_url(Setting.SUPABASE_URL)}/auth/v1"
    keys = keys_at(f"{auth_url}/.well-known/jwks.json")
    shared_secrets = live(Secret.SUPABASE_JWT_SECRET) if legacy else ()
    token = jwt.verify_token(authorization, _issuers(auth_url), keys, now, shared_secrets)
    count_old(token.place, Secret.SUPABASE_JWT_SECRET)
    if aal2:
        jwt.require_second_factor(token.claims)
    if fresh_totp:
        jwt.require_fresh_totp(token.claims, fresh_totp, now)
    caller = Caller(kind="user", user=token.claims["sub"], session=token.claims["session_id"], token=token.text)
    if live_session:
        verify_session(caller.token, caller.user, auth_url, read(Setting.SUPABASE_PUBLISHABLE_KEY))
    return caller


def _issuers(auth_url: str) -> list[str]:
    """This project's own name, and those that it had or has beside it (a custom domain)."""
    return [auth_url, *read_list(Setting.SUPABASE_ISSUERS, is_url)]
