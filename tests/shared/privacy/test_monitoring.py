"""What leaves in an error report: where it broke, and nothing of whom it concerned."""

import json
from collections.abc import Iterator

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from shared.privacy import logs, monitoring

PHONE = "5491155550101"
DSN = "https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/1"


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


def test_a_report_holds_the_place_and_not_the_person(envelopes):
    with logs.carrying(function="queue_reply", request_id="r-1"):
        try:
            fail({"from": PHONE})
        except ValueError as error:
            monitoring.report(error)
    [envelope] = envelopes
    sent = envelope.serialize().decode()
    assert PHONE not in sent
    assert "sb_secret_" not in sent
    report = json.loads(envelope.items[0].get_bytes())
    assert report["exception"]["values"][0]["type"] == "ValueError"
    assert report["exception"]["values"][0]["stacktrace"]["frames"][-1]["function"] == "fail"
    assert report["tags"] == {"function": "queue_reply", "request_id": "r-1"}
    assert "vars" not in sent


def test_without_a_dsn_nothing_is_reported(envelopes, monkeypatch):
    monkeypatch.delenv("SENTRY_DSN")
    monitoring.report(ValueError("x"))
    assert envelopes == []


def test_a_report_that_fails_is_no_second_fault(envelopes, monkeypatch):
    monkeypatch.setattr(monitoring, "_event", lambda error: 1 / 0)
    monitoring.report(ValueError("x"))
    assert envelopes == []
