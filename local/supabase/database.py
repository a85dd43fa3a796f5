"""Give an empty database what a hosted Supabase project has before its first migration."""

from pathlib import Path

import psycopg

BOOTSTRAP = Path(__file__).with_name("bootstrap.sql")


def bootstrap(connection: psycopg.Connection) -> None:
    """Make roles, schemas and the tables of Supabase Auth in the database of `connection`, all or nothing.

    The connection is that of supabase_admin and has no open transaction; the login roles get its password.
    Harmless when it was done before. Raises psycopg.Error.
    """
    with connection.transaction():
        done = connection.execute("select to_regclass('auth.users') is not null").fetchone()
        if done == (True,):
            return
        connection.execute(BOOTSTRAP.read_text())
