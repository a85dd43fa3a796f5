"""Whether a session still exists: Supabase Auth is asked with the person's own token.

A signature holds until the token expires, also after a sign-out, a ban or a deletion; only Auth knows of those.
"""

from shared.cloud import transport
from shared.errors import Refused, Unavailable
from shared.settings import Setting

ASK_SECONDS = 2.0
# Bytes. A user with all identities and metadata.
MAX_BYTES = 256 * 1024


def verify_session(token: str, user: str, auth_url: str, publishable_key: str) -> None:
    """The session of `token` exists and is that of `user`. `auth_url` is the project's `<url>/auth/v1`.

    Raises Refused (`session_revoked`, `session_foreign`) or Unavailable (`session_unanswered`, `upstream_...`).
    """
    headers = {"apikey": publishable_key, "authorization": f"Bearer {token}", "user-agent": "portero"}
    address = f"{auth_url}/user"
    answer = transport.send(Setting.SUPABASE_URL, "GET", address, headers, b"", ASK_SECONDS, max_bytes=MAX_BYTES)
    if answer.status in (401, 403, 404):
        raise Refused("session_revoked", 401)
    if answer.status != 200:
        raise Unavailable("session_unanswered")
    if _user_in(answer) != user:
        raise Refused("session_foreign", 401)


def _user_in(answer: transport.Answer) -> object:
    try:
        found = answer.json()
    except ValueError:
        raise Unavailable("session_unanswered") from None
    return found.get("id") if isinstance(found, dict) else None
