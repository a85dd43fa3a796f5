"""What leaves in an error report: where it broke, and nothing of whom it concerned."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.consts import DEFAULT_OPTIONS
from sentry_sdk.envelope import Envelope, Item
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import Transport

from shared.privacy import logs, monitoring, scrub
from tests.shared.privacy.planted import Canaries, plant

PHONE = "5491155550101"
DSN = "https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/1"
KNOWN = frozenset(DEFAULT_OPTIONS)


class Kept(Transport):
    """Keeps envelopes instead of sending them."""

    envelopes: list[Envelope] = []  # noqa: RUF012

    def capture_envelope(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)


@pytest.fixture
def envelopes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Envelope]]:
    original = sentry_sdk.init
    monkeypatch.setattr(sentry_sdk, "init", lambda **options: original(transport=Kept, **options))
    monkeypatch.setenv("SENTRY_DSN", DSN)
    monitoring._client.cache_clear()
    Kept.envelopes.clear()
    yield Kept.envelopes
    monitoring._client.cache_clear()
    original()


def fail(event: dict[str, str]) -> None:
    token = "sb_secret_" + "a" * 22
    raise ValueError(f"no contact {event['from']} {token}")


def reported() -> None:
    with logs.carrying(function="queue_reply", guard="queue", request_id="r-1"):
        try:
            fail({"from": PHONE})
        except ValueError as error:
            monitoring.report(error)


def test_a_report_holds_the_place_and_not_the_person(envelopes, monkeypatch):
    monkeypatch.setenv("RELEASE", "1a819a8")
    reported()
    [envelope] = envelopes
    sent = envelope.serialize().decode()
    assert PHONE not in sent
    assert "sb_secret_" not in sent
    report = json.loads(envelope.items[0].get_bytes())
    assert report["exception"]["values"][0]["type"] == "ValueError"
    assert report["exception"]["values"][0]["stacktrace"]["frames"][-1]["function"] == "fail"
    assert report["tags"] == {"function": "queue_reply", "guard": "queue", "request_id": "r-1"}
    assert (report["release"], report["server_name"]) == ("1a819a8", "lambda")
    assert report["sdk"]["integrations"] == []
    assert "vars" not in sent


def test_without_a_dsn_nothing_is_reported(envelopes, monkeypatch):
    monkeypatch.delenv("SENTRY_DSN")
    monitoring.report(ValueError("x"))
    assert envelopes == []


def test_without_a_dsn_the_client_is_not_even_imported():
    code = (
        "import sys; from shared.privacy import monitoring; monitoring.report(ValueError('x')); "
        "assert 'sentry_sdk' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PATH": ""})


def test_a_report_that_fails_is_no_second_fault(envelopes, monkeypatch):
    monkeypatch.setattr(monitoring, "_event", lambda error: 1 / 0)
    monitoring.report(ValueError("x"))
    assert envelopes == []


def test_a_receiver_that_hangs_costs_half_a_second(monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("SENTRY_DSN", f"http://{'0' * 32}@127.0.0.1:{silent.getsockname()[1]}/1")
        monitoring._client.cache_clear()
        reported()
        started = time.monotonic()
        reported()
        assert time.monotonic() - started < 2 * monitoring.FLUSH_SECONDS
    monitoring._client.cache_clear()
    sentry_sdk.init()


def test_a_version_without_a_hook_is_not_used():
    with pytest.raises(RuntimeError, match="before_send_transaction"):
        monitoring.options(DSN, KNOWN - {"before_send_transaction"})


def test_an_older_version_is_told_in_its_own_words():
    older = monitoring.options(DSN, KNOWN - {"data_collection", "before_send_metric"})
    assert older["send_default_pii"] is False
    assert not older.keys() & {"data_collection", "before_send_metric"}
    assert "send_default_pii" not in monitoring.options(DSN, KNOWN)


def test_every_hook_of_the_installed_version_is_ours():
    hooks = {name for name in DEFAULT_OPTIONS if name.startswith("before_")}
    assert hooks <= monitoring.options(DSN, KNOWN).keys(), (
        "You are here because sentry-sdk has a new hook: set it in shared/privacy/monitoring.py."
    )


LIFECYCLES = ("static", "stream")
# As if somebody had switched on what we keep off.
CARELESS: dict[str, Any] = {
    "traces_sample_rate": 1.0,
    "enable_logs": True,
    "enable_metrics": True,
    "max_breadcrumbs": 100,
    "attach_stacktrace": True,
    "include_local_variables": True,
    "include_source_context": True,
}


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Canaries]]:
    """Plants a canary everywhere. `lifecycle`, `walled` (the transport's wall too), `breaking` (a call of scrub)."""

    def planting(lifecycle: str, walled: bool, breaking: int = 0, **careless: Any) -> Canaries:
        calls = 0

        def scrubbing(value: object) -> Any:
            nonlocal calls
            calls += 1
            if calls == breaking:
                raise RecursionError("scrub")
            return scrub(value)

        monkeypatch.setattr(monitoring, "scrub", scrubbing)
        options = monitoring.options(DSN, KNOWN) | CARELESS | {"integrations": [LoggingIntegration()]} | careless
        Kept.envelopes.clear()
        sentry_sdk.get_global_scope().clear()
        with sentry_sdk.isolation_scope():
            sentry_sdk.init(**options, transport=Kept, trace_lifecycle=lifecycle)
            if walled:
                monitoring.guard_transport(sentry_sdk.get_client().transport)
            canaries = Canaries()
            plant(canaries, lifecycle == "stream")
        planting.calls = calls  # type: ignore[attr-defined]
        return canaries

    yield planting
    sentry_sdk.init()


def leaked(canaries: Canaries) -> list[str]:
    return canaries.found("\n".join(envelope.serialize().decode() for envelope in Kept.envelopes))


def kinds() -> set[str]:
    return {str(item.type) for envelope in Kept.envelopes for item in envelope.items}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("lifecycle", LIFECYCLES)
def test_the_hooks_alone_let_nothing_out(planted, lifecycle):
    canaries = planted(lifecycle, walled=False)
    assert len(canaries.planted) > 50
    assert {"event", "check_in", "log", "trace_metric", "span"} - kinds() <= (
        {"span"} if lifecycle == "static" else set()
    )
    assert leaked(canaries) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("lifecycle", LIFECYCLES)
def test_the_wall_of_the_transport_alone_lets_nothing_out(planted, lifecycle):
    hooks = {name: None for name in monitoring.options(DSN, KNOWN) if name.startswith("before_")}
    canaries = planted(lifecycle, walled=True, **hooks)
    assert "attachment" not in kinds()
    assert leaked(canaries) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("lifecycle", LIFECYCLES)
def test_without_walls_nearly_all_of_it_leaves(planted, lifecycle):
    """So that the tests above are known to plant something."""
    hooks = {name: None for name in monitoring.options(DSN, KNOWN) if name.startswith("before_")}
    canaries = planted(lifecycle, walled=False, **hooks)
    assert len(leaked(canaries)) > 50


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("walled", [False, True])
@pytest.mark.parametrize("lifecycle", LIFECYCLES)
def test_a_wall_that_breaks_once_at_any_item_drops_the_item(planted, lifecycle, walled):
    planted(lifecycle, walled)
    for breaking in range(1, planted.calls + 1):
        assert leaked(planted(lifecycle, walled, breaking)) == [], f"call {breaking} of scrub failed"


def test_what_no_wall_can_read_is_not_sent(envelopes):
    transport = Kept()
    monitoring.guard_transport(transport)
    unknown, broken, good = Envelope(), Envelope(), Envelope()
    unknown.add_item(Item(b"x", type="profile"))
    broken.add_item(Item(PHONE.encode() + b"{", type="event"))
    good.add_item(Item(b'{"a": "b"}', type="event"))
    for envelope in (unknown, broken, good):
        transport.capture_envelope(envelope)
    assert [item.get_bytes() for envelope in envelopes for item in envelope.items] == [b'{"a":"b"}']
