"""Error reports to Sentry: what broke and where, never whose data it was.

The client is imported on the first error only, since it would cost a cold start more than all guards together.

There are three walls. A report is built by hand (type, place in the code, function) rather than by the client's
integrations, which collect request bodies and local variables. Should anything else ever speak to the client, the
hooks mask every string of every kind of item, and drop an item that they fail on. And whatever way an item took, the
envelope is masked once more where it is handed to the network, since hooks differ between versions of the client
(docs/decisions/0008).
"""

import json
import traceback
import warnings
from functools import cache
from types import ModuleType
from typing import Any

from shared.privacy import scrub
from shared.privacy.logs import about
from shared.settings import Setting, read_optional

FLUSH_SECONDS = 0.5
SERVER_NAME = "lambda"
MAXIMUM_TEXT = 1024
# What may leave, by the type of an envelope's item: no attachment, profile, session or replay.
ITEMS = frozenset({"event", "transaction", "span", "check_in", "log", "trace_metric", "client_report"})
# Without these the client would send what no hook has seen.
REQUIRED = frozenset({"before_send", "before_send_transaction", "before_breadcrumb", "default_integrations"})

Item = dict[str, Any]

# For the versions that know categories of collected data.
NOTHING: Item = {
    "user_info": False,
    "cookies": {"mode": "off"},
    "http_headers": {"request": {"mode": "off"}},
    "http_bodies": [],
    "url_query_params": {"mode": "off"},
    "graphql": {"document": False, "variables": False},
    "gen_ai": {"inputs": False, "outputs": False},
    "database_query_data": False,
    "queues": False,
    "stack_frame_variables": False,
    "frame_context_lines": 0,
}


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


def options(dsn: str, known: frozenset[str]) -> dict[str, Any]:
    """What the client is made with, as far as the installed version knows it. `known` are the names of its options.

    Raises RuntimeError when it lacks one that the walls are made of.
    """
    if missing := REQUIRED - known:
        raise RuntimeError(f"sentry-sdk has no {', '.join(sorted(missing))} any more")
    wanted: dict[str, Any] = {
        "dsn": dsn,
        "environment": read_optional(Setting.STAGE),
        # Without a value the client would ask git, by a process of its own.
        "release": read_optional(Setting.RELEASE) or "unknown",
        "server_name": SERVER_NAME,
        "default_integrations": False,
        "auto_enabling_integrations": False,
        "integrations": [],
        "before_send": _before_send,
        "before_send_transaction": _before_send,
        "before_breadcrumb": _before_item,
        "before_send_log": _before_item,
        "before_send_metric": _before_item,
        "before_send_span": _before_send_span,
        "include_local_variables": False,
        "include_source_context": False,
        "max_breadcrumbs": 0,
        "max_request_body_size": "never",
        "max_value_length": MAXIMUM_TEXT,
        "traces_sample_rate": None,
        "profiles_sample_rate": None,
        "enable_logs": False,
        "enable_metrics": False,
        "auto_session_tracking": False,
        "send_client_reports": False,
        "spotlight": False,
        "propagate_traces": False,
        "shutdown_timeout": FLUSH_SECONDS,
    }
    # The newer way to say that nothing is collected, and the older one that it replaces.
    wanted |= {"data_collection": NOTHING} if "data_collection" in known else {"send_default_pii": False}
    return {name: value for name, value in wanted.items() if name in known}


def guard_transport(transport: Any) -> None:
    """The last wall: from here on this transport sends what is masked, and of known kinds, only."""
    send = transport.capture_envelope

    def send_masked(envelope: Any) -> None:
        try:
            masked = _masked_envelope(envelope)
        except Exception:
            return
        if masked.items:
            send(masked)

    transport.capture_envelope = send_masked


def _event(error: BaseException) -> Item:
    frames = [
        {"filename": scrub(frame.filename), "function": frame.name, "lineno": frame.lineno}
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    carried = about()
    return {
        "level": "error",
        "server_name": SERVER_NAME,
        "exception": {
            "values": [{"type": type(error).__name__, "value": "see the log", "stacktrace": {"frames": frames}}]
        },
        "tags": {name: carried.get(name, "") for name in ("function", "guard", "request_id")},
    }


def _before_send(event: Item, hint: Item) -> Item | None:
    """For events, check-ins and transactions: nothing attached, every string masked, no local variable."""
    try:
        hint["attachments"] = []
        masked = _masked(event)
        return masked | {"server_name": SERVER_NAME} if "server_name" in masked else masked
    except Exception:
        return None


def _before_item(item: Item, hint: Item) -> Item | None:
    """For breadcrumbs, logs and metrics."""
    try:
        return _masked(item)
    except Exception:
        return None


def _before_send_span(span: Item, hint: Item) -> Item:
    """A span cannot be dropped, and what the hook raises would send it as it was: so it is emptied."""
    try:
        return _masked(span)
    except Exception:
        return span | {"name": "dropped", "attributes": {}}


def _masked(item: Item) -> Item:
    masked: Item = scrub(item)
    for values in (masked.get(part) for part in ("exception", "threads")):
        for value in values.get("values") or [] if isinstance(values, dict) else []:
            for frame in (value.get("stacktrace") or {}).get("frames") or []:
                for seen in ("vars", "context_line", "pre_context", "post_context"):
                    frame.pop(seen, None)
    return masked


def _masked_envelope(envelope: Any) -> Any:
    """Raises whatever an envelope of an unknown shape brings about."""
    from sentry_sdk.envelope import Envelope, Item, PayloadRef

    masked = Envelope(headers=scrub(envelope.headers))
    for item in envelope.items:
        if item.type in ITEMS:
            payload = PayloadRef(json=_masked(json.loads(item.get_bytes())))
            masked.add_item(Item(payload, headers=scrub(item.headers)))
    return masked


@cache
def _client(dsn: str) -> ModuleType:
    import sentry_sdk
    from sentry_sdk.consts import DEFAULT_OPTIONS

    with warnings.catch_warnings():
        # It says that a hook for spans has nothing to do while traces are off.
        warnings.simplefilter("ignore")
        sentry_sdk.init(**options(dsn, frozenset(DEFAULT_OPTIONS)))
    guard_transport(sentry_sdk.get_client().transport)
    return sentry_sdk
