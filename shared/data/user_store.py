"""The database as a signed-in person sees it: their token, the publishable key, row level security on.

One HTTP client a process, one identity a request: a client object is made for each request and carries its own
headers, so that two interleaved requests never share a token.
"""

from functools import cache
from typing import Any

import httpx
from postgrest import APIError, SyncPostgrestClient
from pydantic import TypeAdapter

from shared.clock import Deadline
from shared.data.store import Passage
from shared.errors import Problem, Unavailable
from shared.settings import Setting, read

MAXIMUM_SECONDS = 5.0

_passages = TypeAdapter(list[Passage])


class UserStore:
    """What one signed-in person may read and write, during one request."""

    def __init__(self, token: str, deadline: Deadline) -> None:
        """`token` is the person's access token, as it passed the guard."""
        self._client = SyncPostgrestClient(
            f"{read(Setting.SUPABASE_URL)}/rest/v1",
            headers={
                "apikey": read(Setting.SUPABASE_PUBLISHABLE_KEY),
                "authorization": f"Bearer {token}",
            },
            http_client=_connections(),
            retry_enabled=False,
        )
        self._deadline = deadline

    def tenant(self, tenant: str) -> dict[str, Any]:
        """Name, language and instructions of one of the person's businesses.

        Raises Problem 404, the same for a foreign tenant and for one that does not exist.
        """
        rows: list[dict[str, Any]] = self._run(
            self._client.from_("tenants").select("name,language,instructions,hand_off_sentence").eq("id", tenant)
        )
        if not rows:
            raise Problem("tenant_not_found", 404)
        return rows[0]

    def search_knowledge(self, tenant: str, embedding: list[float], limit: int) -> list[Passage]:
        """The nearest passages, nearest first."""
        arguments: Any = {"p_tenant": tenant, "p_embedding": embedding, "p_limit": limit}
        return _passages.validate_python(self._run(self._client.rpc("search_knowledge", arguments)))

    def replace_knowledge(
        self, tenant: str, name: str, media_type: str, body: bytes, sha256: str, object_key: str, chunks: list[Any]
    ) -> str:
        """Keep a file and its chunks ({body, embedding}) in place of an earlier one of the same name. The file's id."""
        arguments: Any = {
            "p_tenant": tenant,
            "p_name": name,
            "p_media_type": media_type,
            "p_bytes": len(body),
            "p_sha256": sha256,
            "p_object_key": object_key,
            "p_chunks": chunks,
        }
        return str(self._run(self._client.rpc("replace_knowledge", arguments)))

    def _run(self, query: Any) -> Any:
        """Within the request's deadline. Raises Problem or Unavailable."""
        left = self._deadline.remaining()
        if not left:
            raise Unavailable("database_deadline")
        # The client takes its time-out from the connections it was given; an environment has one request at a time.
        _connections().timeout = httpx.Timeout(min(MAXIMUM_SECONDS, left), connect=1.0)
        try:
            return query.execute().data
        except APIError as error:
            if error.code == "42501":
                raise Problem("row_forbidden", 404) from None
            raise Unavailable(f"database_{error.code}") from None
        except httpx.HTTPError as error:
            raise Unavailable(f"database_{type(error).__name__}") from None


@cache
def _connections() -> httpx.Client:
    return httpx.Client()
