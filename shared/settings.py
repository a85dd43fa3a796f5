"""Every environment name and every secret's name, once.

The environment holds addresses and names, never a secret; those are in the parameter store (cloud/parameters.py).
"""

import os
from enum import StrEnum

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
    # Issuers of tokens beside <SUPABASE_URL>/auth/v1, divided by spaces: a project with a custom domain has two names.
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
    ALLOWED_ORIGINS = "ALLOWED_ORIGINS"
    KNOWLEDGE_BUCKET = "KNOWLEDGE_BUCKET"
    MEDIA_BUCKET = "MEDIA_BUCKET"
    # Where Meta serves media from, divided by spaces: whole origins, or https://*.<domain>.
    MEDIA_HOSTS = "MEDIA_HOSTS"
    REPLY_QUEUE_URL = "REPLY_QUEUE_URL"
    REPLY_QUEUE_ARN = "REPLY_QUEUE_ARN"
    SEND_QUEUE_URL = "SEND_QUEUE_URL"
    SEND_QUEUE_ARN = "SEND_QUEUE_ARN"
    INGEST_QUEUE_ARN = "INGEST_QUEUE_ARN"
    INGEST_QUEUE_URL = "INGEST_QUEUE_URL"
    # The name in AWS of the function that reads files (functions/internal_read_file.py).
    READ_FILE_FUNCTION = "READ_FILE_FUNCTION"
    BILLING_QUEUE_ARN = "BILLING_QUEUE_ARN"
    BILLING_QUEUE_URL = "BILLING_QUEUE_URL"
    MEDIA_QUEUE_ARN = "MEDIA_QUEUE_ARN"
    MEDIA_QUEUE_URL = "MEDIA_QUEUE_URL"
    # Seconds between a Paddle signature and its arrival; five unless set.
    PADDLE_TOLERANCE_SECONDS = "PADDLE_TOLERANCE_SECONDS"
    # The address people reach us at, for links in answers.
    PUBLIC_URL = "PUBLIC_URL"
    # ARNs of the KMS keys that wrap the data keys of tenants, newest first, divided by spaces.
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


def read_optional(setting: Setting) -> str:
    """The setting's value, or an empty string."""
    return os.environ.get(setting, "").strip()
