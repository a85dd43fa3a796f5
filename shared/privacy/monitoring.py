"""Error reports to Sentry: what broke and where, never whose data it was.

The client is imported on the first error only, since it would cost a cold start more than all guards together. The
report is built by hand (type, place in the code, function) rather than by the client's integrations, which collect
request bodies and local variables.
"""

import traceback
from functools import cache
from types import ModuleType

from shared.privacy.logs import about
from shared.privacy.masking import scrub
from shared.settings import Setting, read_optional

FLUSH_SECONDS = 0.5


def report(error: BaseException) -> None:
    """Send a report, if a DSN is configured. Never raises, and returns within about half a second."""
    dsn = read_optional(Setting.SENTRY_DSN)
    if not dsn:
        return
    try:
        client = _client(dsn)
        client.capture_event(_event(error))
        client.flush(timeout=FLUSH_SECONDS)
    except Exception:  # a report that fails must not become a second fault
        return


def _event(error: BaseException) -> dict[str, object]:
    frames = [
        {"filename": scrub(frame.filename), "function": frame.name, "lineno": frame.lineno}
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return {
        "level": "error",
        "server_name": "lambda",
        "exception": {
            "values": [{"type": type(error).__name__, "value": "see the log", "stacktrace": {"frames": frames}}]
        },
        "tags": {"function": about().get("function", ""), "request_id": about().get("request_id", "")},
    }


@cache
def _client(dsn: str) -> ModuleType:
    import sentry_sdk

    sentry_sdk.init(
        dsn=dsn,
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        server_name="lambda",
        environment=read_optional(Setting.STAGE),
        shutdown_timeout=FLUSH_SECONDS,
    )
    return sentry_sdk
