"""The console calls when a member looks at the numbers and pages of a business, or names the template of a number.

The template is written down; nothing else of a channel is. The answer shows the channels, without their tokens.
"""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.data.user_store import UserStore
from shared.guard import Request, Response, guard, jwt

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=16 * 1024,
    seconds=10.0,
    rate=20,
    secrets=("UPSTASH_REDIS_REST_TOKEN",),
    writes=("channels", "audit_log"),
    store_down="refuse",
)


class Template(BaseModel):
    """An approved template without parameters: its name and language at Meta, and its words."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9_]{1,512}$", max_length=512)
    language: str = Field(pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$", max_length=6)
    body: Annotated[str, Field(min_length=1, max_length=1024)]


class Asked(BaseModel):
    """With a `channel`, its template is named, or taken away when it is null."""

    model_config = ConfigDict(extra="forbid")

    tenant: UUID
    channel: UUID | None = None
    template: Template | None = None


@GUARD
def handler(request: Request) -> Response:
    """Name the template, show the channels."""
    asked = request.body(Asked)
    tenant = str(asked.tenant)
    store = UserStore(request.caller.token, request.deadline)
    store.tenant(tenant)
    if asked.channel is not None:
        named = (asked.template.name, asked.template.language, asked.template.body) if asked.template else None
        store.name_template(tenant, str(asked.channel), named)
    return Response(body={"channels": store.channels(tenant)})
