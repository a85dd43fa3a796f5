"""A file that a member's browser puts into a bucket: admitted, kept as a row that waits, and then a form for it."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

from shared.abuse.admission import Account, Denied, Provider, Want, admit
from shared.abuse.allowance import Asking
from shared.abuse.person_books import PersonBooks
from shared.abuse.rate_limit import fields
from shared.cloud import objects
from shared.data.user_store import UserStore


class Upload(NamedTuple):
    """What is to come: into which bucket, of which type and of how many bytes, on the account with which provider."""

    bucket: objects.Bucket
    media_type: str
    size: int
    provider: Provider


class Offer(Protocol):
    """A row that waits for its file."""

    object_key: str


Kept = TypeVar("Kept", bound=Offer)


def offer(
    request: Asking, store: UserStore, tenant: str, member: str, upload: Upload, keep: Callable[[], Kept]
) -> tuple[Kept, dict[str, Any], dict[str, str]]:
    """What `keep` wrote down, the form by which exactly this file may come within five minutes, and header fields.

    A Problem that `keep` raises costs nothing; one is raised too where the file is not admitted.
    """
    account = Account(store.budget_facts(tenant), PersonBooks(tenant, store))
    meters = {"files": (1, 1), "file_bytes": (upload.size, upload.size)}
    grant = admit(request, account, Want(upload.provider, meters, member=member))
    if isinstance(grant, Denied):
        raise grant.problem()
    with grant:
        kept = keep()
        url, form = objects.form(upload.bucket, kept.object_key, upload.media_type, upload.size)
        grant.spend(files=1, file_bytes=upload.size)
    return kept, {"url": url, "fields": form}, fields(grant.policies)
