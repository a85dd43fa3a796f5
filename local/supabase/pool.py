"""A small pool of database connections, one queue a role."""

import asyncio
import select
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

CONNECTIONS_PER_ROLE = 12


class Pool:
    """Connections of one event loop. `dsn(role)` is asked at every checkout, so a test may switch the database."""

    def __init__(self, dsn: Callable[[str], str]) -> None:
        self._dsn = dsn
        self._idle: dict[str, list[tuple[str, psycopg.AsyncConnection]]] = {}
        self._room: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def transaction(self, role: str) -> AsyncIterator[psycopg.AsyncConnection]:
        """A connection of `role` inside a transaction, which an exception rolls back. Raises psycopg.Error."""
        room = self._room.setdefault(role, asyncio.Semaphore(CONNECTIONS_PER_ROLE))
        async with room:
            dsn = self._dsn(role)
            connection = await self._take(role, dsn)
            try:
                async with connection.transaction():
                    yield connection
            finally:
                if connection.info.transaction_status is TransactionStatus.IDLE:
                    self._idle.setdefault(role, []).append((dsn, connection))
                else:
                    await connection.close()

    async def close(self) -> None:
        """Close the idle connections."""
        for waiting in self._idle.values():
            while waiting:
                await waiting.pop()[1].close()

    async def _take(self, role: str, dsn: str) -> psycopg.AsyncConnection:
        waiting = self._idle.setdefault(role, [])
        while waiting:
            kept_for, connection = waiting.pop()
            if kept_for == dsn and not _has_ended(connection):
                return connection
            await connection.close()
        return await psycopg.AsyncConnection.connect(dsn, autocommit=True)


def _has_ended(connection: psycopg.AsyncConnection) -> bool:
    # The server speaks on an idle connection only to end it (its database was dropped, it stopped).
    if connection.closed:
        return True
    ready = select.poll()
    ready.register(connection.fileno(), select.POLLIN)
    return bool(ready.poll(0))


async def fetch_one(
    connection: psycopg.AsyncConnection, statement: LiteralString, values: Mapping[str, Any] | Sequence[Any] = ()
) -> dict[str, Any] | None:
    """The first row of a query as a dictionary, or None."""
    cursor = connection.cursor(row_factory=dict_row)
    return await (await cursor.execute(statement, values)).fetchone()


async def fetch_all(
    connection: psycopg.AsyncConnection, statement: LiteralString, values: Mapping[str, Any] | Sequence[Any] = ()
) -> list[dict[str, Any]]:
    """The rows of a query as dictionaries."""
    cursor = connection.cursor(row_factory=dict_row)
    return await (await cursor.execute(statement, values)).fetchall()
