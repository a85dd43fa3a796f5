"""Files of knowledge that a worker reads: taken for a time, and settled once."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from shared.clock import Deadline
from shared.data.budget_rows import BudgetFacts
from shared.data.database import call

_keys = TypeAdapter(list[str])


class FileClaim(BaseModel):
    """The answer to a claim of a knowledge file; everything below `state` is there when it is "claimed".

    `attempts` counts workers that did not come back, and this one; `bytes` are those that were announced. A member said
    that a file which `is_announced` has come; the form of one that `is_expired` takes no file any more; one that
    `is_late` is a day old, and this try is the last.
    """

    state: Literal["claimed", "busy", "done", "absent"]
    fence: int = 0
    attempts: int = 0
    name: str = ""
    media_type: str = ""
    bytes: int = 0
    object_key: str = ""
    is_announced: bool = False
    is_expired: bool = False
    is_late: bool = False
    budget: BudgetFacts | None = None


def claim_file(tenant: str, file: str, seconds: int, deadline: Deadline) -> FileClaim:
    """Take a file to be read within `seconds`."""
    arguments = {"p_tenant": tenant, "p_file": file, "p_seconds": seconds}
    return FileClaim.model_validate(call("claim_file", arguments, deadline))


def settle_file(
    tenant: str,
    file: str,
    fence: int,
    state: Literal["ready", "refused", "waiting"],
    deadline: Deadline,
    *,
    reason: str | None = None,
    sha256: str | None = None,
    size: int | None = None,
    withheld: int = 0,
    chunks: Sequence[dict[str, Any]] = (),
) -> list[str]:
    """What became of a file: its passages ({body, embedding}), or why there are none; "waiting" gives it back.

    The keys of objects that nothing names any more; that of a file which is missing or given up stays.
    """
    arguments = {
        "p_tenant": tenant,
        "p_file": file,
        "p_fence": fence,
        "p_state": state,
        "p_reason": reason,
        "p_sha256": sha256,
        "p_bytes": size,
        "p_withheld": withheld,
        "p_chunks": list(chunks),
    }
    return _keys.validate_python(call("settle_file", arguments, deadline))
