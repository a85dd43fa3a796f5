"""The database as a signed-in person sees it: their token, the publishable key, row level security on.

One pool of connections a process, one identity a request: what is shared is the transport, which knows no person.
Headers, cookies and time-outs belong to an object of the request, so that two interleaved requests share none of them.
"""

from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from typing import Any, Literal

import httpx
from postgrest import APIError, SyncPostgrestClient
from pydantic import TypeAdapter

from shared.clock import Deadline
from shared.data.budget_rows import BudgetFacts, Calendar, FallbackDecision, Opened, moment, opening
from shared.data.failures import failure_of, row_not_found
from shared.data.rows import KeptMedia, Offered, OfferedMedia, Passage, Replayed, Said, Written
from shared.errors import Problem, Unavailable
from shared.settings import Setting, read

MAXIMUM_SECONDS = 5.0
CONNECT_SECONDS = 1.0
# As many lines as a turn of the assistant has for history, and what is unanswered.
LAST_SAID = 20

_passages = TypeAdapter(list[Passage])
_replayed = TypeAdapter(list[Replayed])


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
            http_client=httpx.Client(transport=_WithinDeadline(deadline)),
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
            raise row_not_found()
        return rows[0]

    def require_owner(self, tenant: str, user: str) -> None:
        """Raises Problem 404 unless the person owns the business, as `tenant` does for one that is not theirs."""
        if not self._run(
            self._client.from_("members").select("role").eq("tenant_id", tenant).eq("user_id", user).eq("role", "owner")
        ):
            raise row_not_found()

    def channels(self, tenant: str) -> list[dict[str, Any]]:
        """The numbers and pages of a business: {id, kind, external_id, display_name, health, ...}."""
        rows: list[dict[str, Any]] = self._run(
            self._client.from_("channels")
            .select("id,kind,external_id,display_name,health,checked_at,template_name,template_language,template_body")
            .eq("tenant_id", tenant)
            .order("created_at")
        )
        return rows

    def name_template(self, tenant: str, channel: str, template: tuple[str, str, str] | None) -> None:
        """Name the template of a channel (name, language, words), or take it away.

        Raises Problem 404 as `tenant` does.
        """
        name, language, body = template or (None, None, None)
        arguments: Any = {
            "p_tenant": tenant,
            "p_channel": channel,
            "p_name": name,
            "p_language": language,
            "p_body": body,
        }
        self._run(self._client.rpc("name_template", arguments))

    def offer_file(self, tenant: str, name: str, media_type: str, size: int) -> Offered:
        """Announce a file that will be uploaded. Raises Problem 404 as `tenant` does."""
        arguments: Any = {"p_tenant": tenant, "p_name": name, "p_media_type": media_type, "p_bytes": size}
        return Offered.model_validate(self._run(self._client.rpc("offer_file", arguments)))

    def finish_upload(self, tenant: str, file: str) -> str:
        """Say that a file lies in the bucket; its state now. Raises Problem 404 as `tenant` does."""
        return str(self._run(self._client.rpc("finish_upload", {"p_tenant": tenant, "p_file": file})))

    def remove_file(self, tenant: str, file: str) -> str:
        """Take a file and its passages away; the key of its object. Raises Problem 404 as `tenant` does."""
        return str(self._run(self._client.rpc("remove_file", {"p_tenant": tenant, "p_file": file})))

    def replay(self, tenant: str, what: Literal["turns", "sends"], ids: list[str], dry: bool) -> list[Replayed]:
        """Have turns or sends done again by their ids; a `dry` run only says which.

        Raises Problem 404 as `tenant` does.
        """
        arguments: Any = {
            "p_tenant": tenant,
            "p_what": what,
            "p_ids": ids,
            "p_from": None,
            "p_to": None,
            "p_channel": None,
            "p_dry": dry,
        }
        return _replayed.validate_python(self._run(self._client.rpc("replay_mine", arguments)))

    def search_knowledge(self, tenant: str, embedding: list[float], question: str, limit: int) -> list[Passage]:
        """The passages that fit a question by meaning or by words, the best first."""
        arguments: Any = {"p_tenant": tenant, "p_embedding": embedding, "p_question": question, "p_limit": limit}
        return _passages.validate_python(self._run(self._client.rpc("search_knowledge", arguments)))

    def object_of(self, tenant: str, name: str) -> str | None:
        """The key of the object of the file that has this name and serves; None where there is none."""
        rows: list[dict[str, Any]] = self._run(
            self._client.from_("knowledge_files")
            .select("object_key")
            .eq("tenant_id", tenant)
            .eq("name", name)
            .eq("state", "ready")
        )
        return rows[0]["object_key"] if rows else None

    def media(self, tenant: str, media: str) -> KeptMedia | None:
        """What a customer sent, where it is kept."""
        rows: list[dict[str, Any]] = self._run(
            self._client.from_("media")
            .select("object_key,media_type")
            .eq("tenant_id", tenant)
            .eq("id", media)
            .eq("state", "kept")
        )
        return KeptMedia.model_validate(rows[0]) if rows else None

    def offer_media(
        self, tenant: str, conversation: str, key: str, kind: str, media_type: str, size: int, text: str | None
    ) -> OfferedMedia:
        """Keep a message whose file is to come, once for each `key`; the conversation is the member's from then on."""
        arguments: Any = {
            "p_tenant": tenant,
            "p_conversation": conversation,
            "p_key": key,
            "p_kind": kind,
            "p_media_type": media_type,
            "p_bytes": size,
            "p_text": text,
        }
        return OfferedMedia.model_validate(self._run(self._client.rpc("offer_media", arguments)))

    def finish_media(self, tenant: str, media: str) -> str:
        """The file has come: its state now."""
        return str(self._run(self._client.rpc("finish_media", {"p_tenant": tenant, "p_media": media})))

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

    def last_said(self, tenant: str, conversation: str) -> list[Said]:
        """The last lines with words of a conversation, oldest first. Raises Problem 404 where there are none."""
        rows: list[dict[str, Any]] = self._run(
            self._client.from_("messages")
            .select("author,body,verdict,filter_version")
            .eq("tenant_id", tenant)
            .eq("conversation_id", conversation)
            .neq("body", "")
            # As it came here: Meta's times have whole seconds, and ours would stand behind an answer of the same one.
            .order("created_at", desc=True)
            .limit(LAST_SAID)
        )
        if not rows:
            raise row_not_found()
        return [Said.model_validate(row | {"text": row["body"]}) for row in reversed(rows)]

    def hand_over(self, tenant: str, conversation: str, to: Literal["assistant", "person"]) -> None:
        """Who answers in a conversation from now on. Raises Problem 404 as `tenant` does."""
        self._run(self._client.rpc("hand_over", {"p_tenant": tenant, "p_conversation": conversation, "p_to": to}))

    def write_as_person(self, tenant: str, conversation: str, key: str, text: str | None) -> Written:
        """Write to the contact of a conversation, once for each `key`; without `text`, the template.

        Raises Problem 404 as `tenant` does.
        """
        arguments: Any = {"p_tenant": tenant, "p_conversation": conversation, "p_key": key, "p_text": text}
        return Written.model_validate(self._run(self._client.rpc("write_as_person", arguments)))

    def budget_facts(self, tenant: str) -> BudgetFacts:
        """Limits, time zone and epochs of one of the person's businesses. Raises Problem 404 as `tenant` does."""
        return BudgetFacts.model_validate(self._run(self._client.rpc("my_budget_facts", {"p_tenant": tenant})))

    def open_budget(
        self, tenant: str, tokens: tuple[str, str], provider: str, own: Calendar, platform: Calendar
    ) -> Opened:
        """Open what was never opened. Raises Unavailable for what was: the server does it."""
        arguments: Any = opening(tenant, tokens, provider, own, platform)
        return Opened.model_validate(self._run(self._client.rpc("open_my_budget", arguments)))

    def admit_usage(
        self,
        tenant: str,
        hold: str,
        provider: str,
        function: str,
        wants: Mapping[str, tuple[int, int]],
        own: Calendar,
    ) -> FallbackDecision:
        """Admit in Postgres while the store is away, charged at once."""
        arguments: Any = {
            "p_tenant": tenant,
            "p_hold": hold,
            "p_provider": provider,
            "p_function": function,
            "p_wants": dict(wants),
            "p_day": moment(own[0][0] / 1000),
            "p_month": moment(own[1][0] / 1000),
        }
        return FallbackDecision.model_validate(self._run(self._client.rpc("admit_my_usage", arguments)))

    def usage_by_day(self, tenant: str, first: date, last: date) -> list[dict[str, Any]]:
        """An owner's view of the ledger; nothing for anybody else. Both days are included."""
        arguments: Any = {"p_tenant": tenant, "p_from": first.isoformat(), "p_to": last.isoformat()}
        rows: list[dict[str, Any]] = self._run(self._client.rpc("usage_by_day", arguments))
        return rows

    def usage_alerts(self, tenant: str, first: date) -> list[dict[str, Any]]:
        """Limits that were nearly or wholly reached in windows that began on `first` or later, newest first."""
        rows: list[dict[str, Any]] = self._run(
            self._client.from_("usage_alerts")
            .select("policy,window_start,level,raised_at")
            .eq("tenant_id", tenant)
            .gte("window_start", datetime.combine(first, datetime.min.time()).isoformat())
            .order("raised_at", desc=True)
            .limit(100)
        )
        return rows

    def _run(self, query: Any) -> Any:
        """Within the request's deadline. Raises Problem or Unavailable."""
        if not self._deadline.remaining():
            raise Unavailable("database_deadline")
        try:
            return query.execute().data
        except APIError as error:
            raise failure_of(error.code, "person") from None
        except httpx.HTTPError as error:
            raise Unavailable(f"database_{type(error).__name__}") from None
        except ValueError:
            # Half a surrogate pair, NaN: no JSON that the database would read.
            raise Problem("value_refused", 422) from None


class _WithinDeadline(httpx.BaseTransport):
    """The process's connections, each wait on them bounded by what is left to one request.

    postgrest takes no time-out for a query, only its client has one.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send on one of the shared connections."""
        seconds = min(MAXIMUM_SECONDS, self._deadline.remaining())
        timeout = httpx.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))
        request.extensions = {**request.extensions, "timeout": timeout.as_dict()}
        return _connections().handle_request(request)


@cache
def _connections() -> httpx.HTTPTransport:
    return httpx.HTTPTransport()
