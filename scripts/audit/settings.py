"""The values of serverless.yml that decide where calls go: settings of functions, and the parameters that they name.

A setting or a parameter that is not here is a finding: give it its form.
"""

from collections.abc import Iterator
from typing import Any

from scripts.audit.findings import Finding
from scripts.audit.forms import Anything, Number, Text, form_message, mismatches
from scripts.audit.stack import FILE
from scripts.audit.template import Section, Tag

_GRAPH_VERSION = r"/v[0-9]{2}\.0"
_MODEL = Text(r"[a-z0-9.-]{3,50}")
_QUEUE = Anything("deployment.py compares it with its name")
FORMS: dict[str, Any] = {
    "SUPABASE_URL": "${param:supabaseUrl}",
    "SUPABASE_PUBLISHABLE_KEY": "${param:supabasePublishableKey}",
    "SUPABASE_ISSUERS": "${param:supabaseIssuers}",
    "UPSTASH_REDIS_REST_URL": "${param:upstashUrl}",
    "ALLOWED_ORIGINS": "${param:allowedOrigins}",
    "PUBLIC_URL": "${param:publicUrl}",
    "META_APP_ID": "${param:metaAppId}",
    "AI_BASE_URL": "${param:aiBaseUrl}",
    "AI_MODEL": _MODEL,
    "EMBEDDING_MODEL": _MODEL,
    "META_GRAPH_URL": Text(r"https://graph\.facebook\.com" + _GRAPH_VERSION),
    "INSTAGRAM_GRAPH_URL": Text(r"https://graph\.instagram\.com" + _GRAPH_VERSION),
    # Meta's own hosts: a wildcard stands for names below a domain of Meta.
    "MEDIA_HOSTS": Text(r"https://((lookaside|\*)\.(fbsbx|fbcdn|cdninstagram|instagram)\.(com|net)( https://|$))+"),
    "KMS_KEY_ID": Tag("GetAtt", "CredentialsKey.Arn"),
    "PADDLE_TOLERANCE_SECONDS": Number(1, 30),
    "KNOWLEDGE_BUCKET": Tag("Ref", "KnowledgeBucket"),
    "MEDIA_BUCKET": Tag("Ref", "MediaBucket"),
    "READ_FILE_FUNCTION": Tag("Ref", "InternalUnderscorereadUnderscorefileLambdaFunction"),
}
# Parameters have values of their own: here those that everybody deploys with unless told otherwise.
_HTTPS = Text(r"https://[a-z0-9.-]+(/v1)?")
_CONCURRENCY = Number(1, 100)
_PARAMETERS: dict[str, Any] = {
    "logRetention": Number(30, 90),
    "requestsPerSecond": Number(10, 1000),
    "requestBurst": Number(20, 2000),
    "supabaseUrl": _HTTPS,
    "supabasePublishableKey": Text("sb_publishable_[A-Za-z0-9_-]+"),
    "supabaseIssuers": "",
    "upstashUrl": _HTTPS,
    "metaAppId": Text("[0-9]*"),
    "aiBaseUrl": _HTTPS,
    "allowedOrigins": Text(r"https://[a-z0-9.-]+( https://[a-z0-9.-]+)*"),
    "publicUrl": _HTTPS,
    "alarmEmail": Text("|[^@ ]+@[^@ ]+"),
    "sentryDsn": "",
    "release": "",
    "logSample": Number(0.01, 1),
}
PARAMETERS: dict[str, Any] = {
    "default": {f"{name}?": form for name, form in _PARAMETERS.items()},
    # What another stage may have otherwise; where calls go is told at the deployment.
    "prod": {
        "logRetention?": Number(30, 90),
        "requestsPerSecond?": Number(10, 1000),
        "requestBurst?": Number(20, 2000),
        **{f"{name}Concurrency?": _CONCURRENCY for name in ("webhook", "reply", "send", "console", "cron", "public")},
    },
}


def check_settings(template: Section) -> Iterator[Finding]:
    """Compare the environment of each function, and the parameters, with their forms."""
    entries = template.get("functions")
    for name, entry in entries.items() if isinstance(entries, Section) else ():
        environment = entry.get("environment") if isinstance(entry, Section) else None
        if not isinstance(environment, Section):
            continue
        for setting, value in environment.items():
            queue = setting.endswith(("_QUEUE_URL", "_QUEUE_ARN"))
            form = _QUEUE if queue else FORMS.get(setting, "a form of its own in scripts/audit/settings.py")
            line = environment.line_of(setting)
            for path, place, expected in mismatches(value, form, f"{name}.{setting}", line):
                yield Finding(FILE, place, "setting-form", form_message(path, expected))
    if "params" in template:
        for path, place, expected in mismatches(template["params"], PARAMETERS, "params", template.line_of("params")):
            yield Finding(FILE, place, "setting-form", form_message(path, expected))
