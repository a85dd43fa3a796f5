"""Whose word Meta takes: the channel's own access token, and the platform's where it has none."""

from typing import Any

from shared.clock import Deadline
from shared.cloud.parameters import current
from shared.cloud.transport import Answer
from shared.data import credentials
from shared.data.encryption import Sensitive
from shared.data.store import SealedCredential
from shared.settings import Secret

# Bytes. Everything that the Graph API answers us is a few lines of JSON.
MAX_GRAPH_BYTES = 256 * 1024
# The number's or page's access token is expired, revoked or of somebody else.
CREDENTIAL_CODES = frozenset({0, 10, 190, 200, 131005})


def token_of(tenant: str, credential: SealedCredential | None, deadline: Deadline) -> Sensitive | None:
    """The channel's own token, None where the platform's serves. Raises Unavailable for one that cannot be opened."""
    return credentials.open_sealed(tenant, "access_token", credential, deadline) if credential else None


def bearer(token: Sensitive | None) -> dict[str, str]:
    """The header that says who asks."""
    return {"authorization": f"Bearer {token.reveal() if token else current(Secret.META_ACCESS_TOKEN)}"}


def error_of(answer: Answer) -> dict[str, Any]:
    """The error object of Meta's answer; empty where there is none."""
    try:
        said = answer.json()
    except ValueError:
        return {}
    error = said.get("error") if isinstance(said, dict) else None
    return error if isinstance(error, dict) else {}
