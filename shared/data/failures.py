"""What the database's error means for whoever called: one answer for each meaning, made here and nowhere else.

The database's own message names tables, constraints and sometimes values, so nothing of it goes on; its code goes to
the log. Codes are SQLSTATEs (PostgreSQL, Appendix A) or PostgREST's own (PGRST...). Light: webhooks import it.
"""

import logging
import re
from typing import Literal

from shared.errors import Problem, Unavailable

# With whose rights the database was asked: a signed-in person's, or those of the server's secret key.
Identity = Literal["person", "server"]

_CODE = re.compile(r"[0-9A-Z]{3,9}")
# A parent that is not there, a row that is not there.
_ABSENT = frozenset({"23503", "P0002"})
_FORBIDDEN = "42501"
_CONFLICT = "23505"
_VALUE = re.compile(r"22[0-9A-Z]{3}|23502|23514")
# Cancelled, locked, serialisation, deadlock, no resources (53), no connection (08), PostgREST's pool is empty.
_BUSY = re.compile(r"57014|55P03|40001|40P01|53[0-9A-Z]{3}|08[0-9A-Z]{3}|PGRST003")

log = logging.getLogger("portero")


def failure_of(code: object, identity: Identity) -> Problem:
    """The problem to raise for an error with this code.

    What is absent, somebody else's or forbidden is one and the same to a person (`row_not_found`). To the server
    "forbidden" means that its own key is wrong, which is an outage and nobody's missing row.
    """
    known = code if isinstance(code, str) and _CODE.fullmatch(code) else "unknown"
    if _BUSY.fullmatch(known):
        return Unavailable(f"database_busy_{known}")
    problem = _refusal_of(known, identity)
    if problem is None:
        return Unavailable(f"database_refused_{known}")
    # The names that follow are without the code, since people count them. What the server was refused is ours to mend.
    level = logging.ERROR if identity == "server" else logging.WARNING
    log.log(level, "database refused", extra={"code": known, "identity": identity})
    return problem


def row_not_found() -> Problem:
    """The one answer for a row that is absent, somebody else's, or not this person's to touch."""
    return Problem("row_not_found", 404)


def _refusal_of(code: str, identity: Identity) -> Problem | None:
    if code in _ABSENT or (code == _FORBIDDEN and identity == "person"):
        return row_not_found()
    if code == _CONFLICT:
        return Problem("row_conflict", 409)
    if _VALUE.fullmatch(code):
        return Problem("value_refused", 422)
    return None
