"""Every environment name and every secret's name, once.

The environment holds addresses and names, never a secret; those are in the parameter store (cloud/parameters.py).
"""

import os
import re
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from shared.errors import Unavailable


class Setting(StrEnum):
    """A name that serverless.yml puts into a function's environment."""

    STAGE = "STAGE"
    PARAMETER_PREFIX = "PARAMETER_PREFIX"
    # The commit that is deployed, for error reports.
    RELEASE = "RELEASE"
    LOG_LEVEL = "LOG_LEVEL"
    # The share of calls, from 0 to 1, whose INFO lines are kept whole; all of them unless set.
    LOG_SAMPLE = "LOG_SAMPLE"
    SENTRY_DSN = "SENTRY_DSN"
    SUPABASE_URL = "SUPABASE_URL"
    SUPABASE_PUBLISHABLE_KEY = "SUPABASE_PUBLISHABLE_KEY"
    # More issuers of tokens than <SUPABASE_URL>/auth/v1 (a list): a project with a custom domain has two names.
    SUPABASE_ISSUERS = "SUPABASE_ISSUERS"
    UPSTASH_REDIS_REST_URL = "UPSTASH_REDIS_REST_URL"
    META_GRAPH_URL = "META_GRAPH_URL"
    # Instagram's own host of the Graph API.
    INSTAGRAM_GRAPH_URL = "INSTAGRAM_GRAPH_URL"
    # Our own app at Meta: what another one writes in a business's name, a person writes (Business Suite is an app too).
    META_APP_ID = "META_APP_ID"
    AI_BASE_URL = "AI_BASE_URL"
    AI_MODEL = "AI_MODEL"
    EMBEDDING_MODEL = "EMBEDDING_MODEL"
    # Web pages that may call the console's functions (a list).
    ALLOWED_ORIGINS = "ALLOWED_ORIGINS"
    KNOWLEDGE_BUCKET = "KNOWLEDGE_BUCKET"
    MEDIA_BUCKET = "MEDIA_BUCKET"
    # Where Meta serves media from (a list): whole origins, or https://*.<domain>.
    MEDIA_HOSTS = "MEDIA_HOSTS"
    REPLY_QUEUE_URL = "REPLY_QUEUE_URL"
    REPLY_QUEUE_ARN = "REPLY_QUEUE_ARN"
    SEND_QUEUE_URL = "SEND_QUEUE_URL"
    SEND_QUEUE_ARN = "SEND_QUEUE_ARN"
    INGEST_QUEUE_ARN = "INGEST_QUEUE_ARN"
    INGEST_QUEUE_URL = "INGEST_QUEUE_URL"
    BILLING_QUEUE_ARN = "BILLING_QUEUE_ARN"
    BILLING_QUEUE_URL = "BILLING_QUEUE_URL"
    MEDIA_QUEUE_ARN = "MEDIA_QUEUE_ARN"
    MEDIA_QUEUE_URL = "MEDIA_QUEUE_URL"
    # Seconds between a Paddle signature and its arrival; five unless set.
    PADDLE_TOLERANCE_SECONDS = "PADDLE_TOLERANCE_SECONDS"
    # The address people reach us at, for links in answers.
    PUBLIC_URL = "PUBLIC_URL"
    # ARNs of the KMS keys that wrap the data keys of tenants, newest first (a list).
    KMS_KEY_ID = "KMS_KEY_ID"
    # In its place in the offline world, and only there: the file that holds such keys (cloud/key_management.py).
    LOCAL_KEY_FILE = "LOCAL_KEY_FILE"
    # Set by the Lambda runtime, or by an operator who points the suite at another endpoint of AWS.
    AWS_REGION = "AWS_REGION"
    AWS_ACCESS_KEY_ID = "AWS_ACCESS_KEY_ID"
    AWS_SECRET_ACCESS_KEY = "AWS_SECRET_ACCESS_KEY"
    AWS_SESSION_TOKEN = "AWS_SESSION_TOKEN"
    AWS_ENDPOINT_URL = "AWS_ENDPOINT_URL"
    AWS_LAMBDA_FUNCTION_NAME = "AWS_LAMBDA_FUNCTION_NAME"
    # Where the runtime's interpreter finds its own libraries; a child process needs it too.
    LD_LIBRARY_PATH = "LD_LIBRARY_PATH"


class Secret(StrEnum):
    """The last part of a parameter's name below PARAMETER_PREFIX."""

    META_APP_SECRET = "META_APP_SECRET"
    META_VERIFY_TOKEN = "META_VERIFY_TOKEN"
    META_ACCESS_TOKEN = "META_ACCESS_TOKEN"
    MERCADOPAGO_WEBHOOK_SECRET = "MERCADOPAGO_WEBHOOK_SECRET"
    PADDLE_WEBHOOK_SECRET = "PADDLE_WEBHOOK_SECRET"
    SUPABASE_SECRET_KEY = "SUPABASE_SECRET_KEY"
    # Only where a project still signs with the shared secret of old, and jwt(legacy=True) says so.
    SUPABASE_JWT_SECRET = "SUPABASE_JWT_SECRET"
    UPSTASH_REDIS_REST_TOKEN = "UPSTASH_REDIS_REST_TOKEN"
    AI_API_KEY = "AI_API_KEY"
    QUEUE_KEY = "QUEUE_KEY"
    CRON_SECRET = "CRON_SECRET"
    PSEUDONYM_KEY = "PSEUDONYM_KEY"


def read(setting: Setting) -> str:
    """The setting's value.

    Raises Unavailable (`setting_missing_<NAME>`) when it is absent or empty: a door without its setting stays shut.
    """
    value = os.environ.get(setting, "").strip()
    if not value:
        raise Unavailable(f"setting_missing_{setting}")
    return value


class Address(NamedTuple):
    """An http or https URL in its parts. `origin` is scheme, host and port as written, `target` path and query."""

    scheme: str
    host: str
    port: int
    netloc: str
    target: str

    @property
    def origin(self) -> str:
        """Scheme, host and port as they are written."""
        return f"{self.scheme}://{self.netloc}"


# Nothing that two readers of an address could read in two ways: no userinfo, no capitals, no fragment.
_ADDRESS = re.compile(
    r"(https?)://([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?::([0-9]{1,5}))?([/?][!-\"$-\[\]-~]{0,16000})?"
)
_BASE_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_LOOPBACK = ("127.0.0.1", "localhost")


def address_of(url: str) -> Address | None:
    """Split a URL; None if it is malformed, or plain http to a host other than this machine."""
    match = _ADDRESS.fullmatch(url)
    if match is None:
        return None
    scheme, host, port, target = match.groups(default="")
    number = int(port) if port else 443 if scheme == "https" else 80
    if not 0 < number < 65536 or (scheme == "http" and host not in _LOOPBACK):
        return None
    return Address(scheme, host, number, f"{host}:{port}" if port else host, target)


def read_url(setting: Setting) -> str:
    """The setting's value, a URL without a query or a slash at its end.

    Raises Unavailable (`setting_missing_<NAME>`, `setting_malformed_<NAME>`).
    """
    url = read(setting)
    if not is_url(url):
        raise Unavailable(f"setting_malformed_{setting}")
    return url


@cache
def is_url(url: str) -> bool:
    """Whether a text is a URL that paths can be added to: no query, and no slash at its end."""
    address = address_of(url)
    return address is not None and bool(_BASE_PATH.fullmatch(address.target))


def read_optional(setting: Setting) -> str:
    """The setting's value, or an empty string."""
    return os.environ.get(setting, "").strip()


def is_origin(text: str) -> bool:
    """Whether a text is an origin as a browser sends it (RFC 6454, 6.1): no path, and nothing that can be left out."""
    address = address_of(text)
    return address is not None and not address.target


def read_list(setting: Setting, is_entry: Callable[[str], object]) -> tuple[str, ...]:
    """The entries of a setting that is a list, divided by spaces; none where it is absent.

    Raises Unavailable (`setting_malformed_<NAME>`) when `is_entry` denies an entry, or one is there twice.
    """
    entries = tuple(read_optional(setting).split())
    if len({*entries}) < len(entries) or not all(map(is_entry, entries)):
        raise Unavailable(f"setting_malformed_{setting}")
    return entries


def read_number(setting: Setting, default: float, minimum: float, maximum: float) -> float:
    """The number in a setting, written in digits with at most one point; `default` where it is absent.

    Raises Unavailable (`setting_malformed_<NAME>`) for every other form, and outside of `minimum` to `maximum`.
    """
    text = read_optional(setting)
    if not text:
        return default
    if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", text) is None or not minimum <= float(text) <= maximum:
        raise Unavailable(f"setting_malformed_{setting}")
    return float(text)
