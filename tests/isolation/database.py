"""The database under test: our migrations on an empty PostgreSQL, then the seed of the parties."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from local.migrations import migrate
from local.plan import PROJECT
from local.postgres import Cluster, temporary_cluster
from local.supabase import bootstrap
from tests.isolation.seed import seed

MIGRATIONS = PROJECT / "supabase" / "migrations"
OUTPUT = PROJECT / "tests" / "output"
PRIVILEGES = OUTPUT / "privileges.txt"
ISOLATION = OUTPUT / "isolation.txt"
MUTANTS = OUTPUT / "isolation_mutants.txt"


@contextmanager
def migrated_cluster() -> Iterator[Cluster]:
    """A server whose database has every migration and no row."""
    with temporary_cluster() as cluster:
        with psycopg.connect(cluster.dsn()) as connection:
            bootstrap(connection)
        with psycopg.connect(cluster.dsn("postgres")) as connection:
            migrate(connection, MIGRATIONS)
        yield cluster


@contextmanager
def seeded_cluster() -> Iterator[Cluster]:
    """The same with the rows of all parties."""
    with migrated_cluster() as cluster:
        with psycopg.connect(cluster.dsn()) as connection:
            seed(connection)
        yield cluster
