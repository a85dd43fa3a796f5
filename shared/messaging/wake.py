"""Waking the workers: which turn, send or file to look at, by ids, in the order of each conversation."""

import logging
from collections.abc import Iterable

from shared.clock import Deadline
from shared.cloud.queues import MESSAGES_PER_CALL, Wake, send
from shared.errors import Unavailable

MAXIMUM_SECONDS = 1.5

log = logging.getLogger("portero")


def wake_turns(turns: Iterable[tuple[str, str]], cause: str, deadline: Deadline) -> int:
    """Wake the reply worker for each (tenant, conversation). The same cause within five minutes wakes once.

    The number of turns woken. Never raises: everything is kept by now, and what was not woken is swept up in minutes.
    """
    wakes = [Wake({"tenant": tenant, "conversation": talk}, talk, cause) for tenant, talk in turns]
    return _wake("reply", wakes, deadline)


def wake_sends(sends: Iterable[tuple[str, str, str]], cause: str, deadline: Deadline) -> int:
    """Wake the send worker for each (tenant, outbox, conversation), as above."""
    wakes = [Wake({"tenant": tenant, "outbox": outbox}, talk, cause) for tenant, outbox, talk in sends]
    return _wake("send", wakes, deadline)


def wake_files(files: Iterable[tuple[str, str]], cause: str, deadline: Deadline) -> int:
    """Wake the worker that reads for each (tenant, file), as above; a business's files one after the other."""
    wakes = [Wake({"tenant": tenant, "file": file}, tenant, cause) for tenant, file in files]
    return _wake("ingest", wakes, deadline)


def _wake(queue: str, wakes: list[Wake], deadline: Deadline) -> int:
    limit = Deadline(min(MAXIMUM_SECONDS, deadline.remaining()))
    for first in range(0, len(wakes), MESSAGES_PER_CALL):
        try:
            send(queue, wakes[first : first + MESSAGES_PER_CALL], limit.remaining())
        except Unavailable as problem:
            log.warning("not woken", extra={"queue": queue, "problem": problem.name, "count": len(wakes) - first})
            return first
    return len(wakes)
