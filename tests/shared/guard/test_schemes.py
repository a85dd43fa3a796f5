"""What the schemes make of a call: which secrets they ask for, what the function may see, what is logged."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from local.billing_payloads import mercadopago_headers, paddle_signature, privacy_form, signed_request
from local.payloads import sign
from shared import clock
from shared.abuse import quarantine
from shared.errors import Unavailable
from shared.guard import Request, Response, guard, hmac, schemes
from shared.guard.kinds import Hmac
from shared.guard.request import Caller, HttpCall

PROJECT = Path(__file__).parents[3]
NOW = 1_800_000_000.0
SECRETS = {
    "META_APP_SECRET": ("the new app secret", "the old app secret"),
    "META_VERIFY_TOKEN": ("token",),
    "MERCADOPAGO_WEBHOOK_SECRET": ("the new panel secret", "the old panel secret"),
    "PADDLE_WEBHOOK_SECRET": ("the new destination secret", "the old destination secret"),
}
BODY = b'{"event_id":"evt_1"}'


@pytest.fixture(autouse=True)
def _secrets(monkeypatch):
    monkeypatch.setattr(schemes, "live", SECRETS.__getitem__)
    quarantine.forget()


def call(body: bytes = b"", query: str = "", **headers: str) -> HttpCall:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpCall("POST", named, parse_qs(query), body, "203.0.113.1", "")


def signed_call(scheme: str, place: int) -> HttpCall:
    """A good call, signed with the newest secret (0) or the one before it (1)."""
    if scheme == "meta":
        return call(BODY, x_hub_signature_256=sign(BODY, SECRETS["META_APP_SECRET"][place]))
    if scheme == "meta_signed_request":
        form = privacy_form(signed_request("1", SECRETS["META_APP_SECRET"][place], at=NOW))
        return call(form, "kind=deletion")
    if scheme == "mercadopago":
        headers = mercadopago_headers("1", SECRETS["MERCADOPAGO_WEBHOOK_SECRET"][place], request_id="r", ts="1")
        return HttpCall("POST", headers, {"data.id": ["1"]}, BODY, "203.0.113.1", "")
    return call(BODY, paddle_signature=paddle_signature(BODY, SECRETS["PADDLE_WEBHOOK_SECRET"][place], at=NOW))


@pytest.mark.parametrize("scheme", schemes.SCHEMES)
def test_a_hit_on_an_old_secret_is_logged(scheme, caplog):
    for place, lines in ((0, []), (1, ["old secret"])):
        caplog.clear()
        caller = Hmac(scheme).admit(signed_call(scheme, place), NOW)
        assert isinstance(caller, Caller)
        assert (caller.kind, caller.trusted) == (scheme, True)
        assert [record.getMessage() for record in caplog.records] == lines


@pytest.mark.parametrize("scheme", schemes.SCHEMES)
def test_without_a_secret_nobody_is_admitted_and_nothing_is_quarantined(scheme, monkeypatch):
    def missing(name):
        raise Unavailable(f"secret_missing_{name}")

    good = signed_call(scheme, 0)
    monkeypatch.setattr(schemes, "live", missing)
    for request in (good, call()):
        with pytest.raises(Unavailable):
            Hmac(scheme).admit(request, NOW)


@pytest.mark.parametrize(
    ("scheme", "sees"), [("meta", True), ("meta_signed_request", False), ("mercadopago", False), ("paddle", True)]
)
def test_a_function_reads_the_body_only_where_the_signature_covers_it(scheme, sees):
    seen = []

    def body(request: Request) -> Response:
        seen.append(request.raw)
        return Response()

    body.__module__ = "functions.webhook_probe"
    declared = guard(
        hmac(scheme), methods=("POST",), body_limit=9999, seconds=3.0, secrets=(), writes=(), store_down="refuse"
    )
    good = signed_call(scheme, 0)
    event = {
        "requestContext": {"http": {"method": "POST"}},
        "headers": good.headers,
        "rawQueryString": urlencode(good.query, doseq=True),
        "body": good.body.decode(),
    }
    with clock.held_at(NOW):
        answer = declared(body)(event, SimpleNamespace(get_remaining_time_in_millis=lambda: 3000))
    assert answer["statusCode"] == 200
    assert seen == [good.body if sees else b""]


def test_a_quarantined_delivery_is_logged_as_refused(caplog):
    with caplog.at_level(logging.WARNING):
        caller = Hmac("mercadopago").admit(call(query="topic=payment&id=5"), NOW)
    assert isinstance(caller, Caller)
    assert not caller.trusted
    assert [record.__dict__["unverified"] for record in caplog.records] == ["signature_missing"]


any_text = st.text(alphabet=st.characters())


@given(
    any_text,
    any_text,
    st.dictionaries(st.sampled_from(["data.id", "id", "type", "topic"]), st.lists(any_text, min_size=1)),
)
@example("s" * 201, "\x00", {"data.id": ["\x00\ud800"], "type": ["t" * 201]})
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_mercadopago_sends_comes_out_in_a_form_that_can_be_stored(signature, request, query):
    headers = {"x-signature": signature, "x-request-id": request}
    quarantine.forget()
    caller = Hmac("mercadopago").admit(HttpCall("POST", headers, query, b"", "", ""), NOW)
    assert isinstance(caller, Caller)
    assert not caller.trusted
    for value in caller.facts.values():
        assert len(value) <= schemes.MAXIMUM_FACT
        assert "\x00" not in value
        value.encode()


@pytest.mark.parametrize("function", sorted(path.stem for path in (PROJECT / "functions").glob("webhook_*.py")))
def test_a_webhook_starts_without_any_schemes_verifier(function):
    code = f"import json, sys; import functions.{function}; print(json.dumps([*sys.modules]))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    verifiers = {f"shared.guard.verify.{name}" for name in ("meta", "signed_request", "mercadopago", "paddle", "jwt")}
    assert not verifiers & {*json.loads(ran.stdout)}
