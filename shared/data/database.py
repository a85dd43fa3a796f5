"""Calling the database's server-only functions with the secret key: the one module that holds it."""

import json
from typing import Any

from shared.clock import Deadline
from shared.cloud import transport
from shared.cloud.parameters import current
from shared.data.failures import failure_of
from shared.errors import Problem, Unavailable
from shared.settings import Secret, Setting, read_url

MAXIMUM_SECONDS = 5.0
# Bytes. The longest answer is a person's export or an hour's sweep.
MAX_BYTES = 8 * 1024 * 1024


class ClaimLost(Problem):
    """Another worker holds the claim now; whatever this one did must not be written. Expected, so no fault."""

    def __init__(self) -> None:
        super().__init__("claim_lost", 409)


def call(function: str, arguments: dict[str, Any], deadline: Deadline) -> Any:
    """One call of a privileged function; its JSON result.

    Raises ClaimLost, Unavailable (`database_<reason>`, `upstream_<reason>`) when the database is away or busy, or the
    Problem of failures.py (a webhook must not answer a value that the database refuses with 5xx; the 422 is logged by
    name, and the provider comes again).
    """
    url = f"{read_url(Setting.SUPABASE_URL)}/rest/v1/rpc/{function}"
    headers = {"apikey": current(Secret.SUPABASE_SECRET_KEY), "content-type": "application/json"}
    try:
        body = json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        # Half a surrogate pair, NaN: no JSON that the database would read.
        raise Problem("value_refused", 422) from None
    timeout_seconds = min(MAXIMUM_SECONDS, deadline.remaining())
    answer = transport.send(Setting.SUPABASE_URL, "POST", url, headers, body, timeout_seconds, max_bytes=MAX_BYTES)
    if 200 <= answer.status < 300:
        try:
            return answer.json() if answer.body else None
        except ValueError:
            raise Unavailable("database_malformed") from None
    problem = _problem(answer)
    if problem.get("code") == "P0001" and problem.get("message") == "claim lost":
        raise ClaimLost
    raise failure_of(problem.get("code") or str(answer.status), "server")


def _problem(answer: transport.Answer) -> dict[str, Any]:
    try:
        problem = answer.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
