"""Waking the workers: which turn, send or file to look at, by ids, in the order of each conversation."""

import logging
from collections.abc import Iterable, Iterator, Sequence

from shared.clock import Deadline
from shared.cloud.queues import MESSAGES_PER_CALL, Wake, send
from shared.errors import Unavailable

MAXIMUM_SECONDS = 1.5
# As many conversations as an envelope has room for (guard/verify/queue.py).
TURNS_PER_MESSAGE = 40

log = logging.getLogger("portero")


def wake_turns(turns: Iterable[tuple[str, str]], cause: str, deadline: Deadline) -> int:
    """Wake the reply worker for each (tenant, conversation). The same cause within five minutes wakes once.

    More than one call of the queue takes go many in a message, and the worker spreads them: whoever brought a body of
    a thousand waits for the answer. The number of turns woken. Never raises: everything is kept by now, and what was
    not woken is swept up in minutes.
    """
    turns = list(turns)
    if len(turns) <= MESSAGES_PER_CALL:
        return _wake("reply", [_turn(tenant, talk, cause) for tenant, talk in turns], deadline)
    wakes, counts = [], []
    for tenant, talks in _by_tenant(turns):
        ids = {"tenant": tenant, "conversations": " ".join(talks), "cause": cause}
        wakes.append(Wake(ids, tenant, cause))
        counts.append(len(talks))
    return sum(counts[: _wake("reply", wakes, deadline)])


def spread_turns(tenant: str, talks: Sequence[str], cause: str, deadline: Deadline) -> None:
    """Wake for each of many. Raises Unavailable unless all were woken: the message comes again, none wakes twice."""
    wakes = [_turn(tenant, talk, cause) for talk in talks]
    if _wake("reply", wakes, deadline) < len(wakes):
        raise Unavailable("not_woken")


def wake_sends(sends: Iterable[tuple[str, str, str]], cause: str, deadline: Deadline) -> int:
    """Wake the send worker for each (tenant, outbox, conversation), as above."""
    wakes = [Wake({"tenant": tenant, "outbox": outbox}, talk, cause) for tenant, outbox, talk in sends]
    return _wake("send", wakes, deadline)


def wake_files(files: Iterable[tuple[str, str]], cause: str, deadline: Deadline) -> int:
    """Wake the worker that reads for each (tenant, file), as above; a business's files one after the other."""
    wakes = [Wake({"tenant": tenant, "file": file}, tenant, cause) for tenant, file in files]
    return _wake("ingest", wakes, deadline)


def wake_media(media: Iterable[tuple[str, str]], cause: str, deadline: Deadline) -> int:
    """Wake the worker that fetches for each (tenant, media), as above; all at once, since none waits for another."""
    wakes = [Wake({"tenant": tenant, "media": one}, one, cause) for tenant, one in media]
    return _wake("media", wakes, deadline)


def _turn(tenant: str, talk: str, cause: str) -> Wake:
    return Wake({"tenant": tenant, "conversation": talk}, talk, cause)


def _by_tenant(turns: Iterable[tuple[str, str]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    by_tenant: dict[str, list[str]] = {}
    for tenant, talk in turns:
        by_tenant.setdefault(tenant, []).append(talk)
    for tenant, talks in by_tenant.items():
        for first in range(0, len(talks), TURNS_PER_MESSAGE):
            yield tenant, tuple(talks[first : first + TURNS_PER_MESSAGE])


def _wake(queue: str, wakes: list[Wake], deadline: Deadline) -> int:
    limit = Deadline(min(MAXIMUM_SECONDS, deadline.remaining()))
    for first in range(0, len(wakes), MESSAGES_PER_CALL):
        try:
            send(queue, wakes[first : first + MESSAGES_PER_CALL], limit.remaining())
        except Unavailable as problem:
            log.warning("not woken", extra={"queue": queue, "problem": problem.name, "count": len(wakes) - first})
            return first
    return len(wakes)
