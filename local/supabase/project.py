"""One local Supabase project: what every request handler needs, as an explicit value."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request

from local.supabase.keys import SupabaseKeys
from local.supabase.pool import Pool

LOG = logging.getLogger("local.supabase")


@dataclass(frozen=True)
class Project:
    """`url` is the public base URL without trailing slash; `clock` gives unix seconds."""

    pool: Pool
    keys: SupabaseKeys
    url: str
    clock: Callable[[], float]

    @property
    def issuer(self) -> str:
        """The `iss` of its access tokens."""
        return f"{self.url}/auth/v1"

    def now(self) -> datetime:
        """The clock as a UTC timestamp."""
        return datetime.fromtimestamp(self.clock(), UTC)


def project_of(request: Request) -> Project:
    """The project that a request is for."""
    project: Project = request.app.state.project
    return project
