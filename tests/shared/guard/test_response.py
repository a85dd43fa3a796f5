import json

import pytest

from shared.errors import TITLES, Problem
from shared.guard.response import Response, cors_headers, preflight, render, render_problem


@pytest.fixture(autouse=True)
def origins(monkeypatch):
    monkeypatch.setenv("ALLOWED_ORIGINS", "https://console.example,https://other.example")


@pytest.mark.parametrize(
    ("response", "content_type", "body"),
    [
        (Response(body={"a": "ñ"}), "application/json", '{"a": "ñ"}'),
        (Response(text="1158201444"), "text/plain; charset=utf-8", "1158201444"),
        (Response(html="<p>"), "text/html; charset=utf-8", "<p>"),
    ],
)
def test_an_answer_has_its_type_and_the_security_headers(response, content_type, body):
    rendered = render(response, {})
    assert (rendered["headers"]["content-type"], rendered["body"]) == (content_type, body)
    assert rendered["headers"]["strict-transport-security"].startswith("max-age=63072000")
    assert rendered["headers"]["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert rendered["headers"]["x-frame-options"] == "DENY"
    assert rendered["headers"]["referrer-policy"] == "no-referrer"
    assert "permissions-policy" in rendered["headers"]


@pytest.mark.parametrize("status", TITLES)
def test_a_problem_is_one_short_document_whatever_its_cause(status):
    one, other = (render_problem(Problem(name, status), {}) for name in ("a_cause", "another_cause"))
    assert one == other
    assert json.loads(one["body"]) == {"type": "about:blank", "title": TITLES[status], "status": status}
    assert one["headers"]["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "origin",
    ["", "null", "https://console.example.evil.example", "https://console", "http://console.example", "https://evil"],
)
def test_a_foreign_origin_gets_no_permission(origin):
    assert cors_headers(origin) == {"vary": "Origin"}
    assert "access-control-allow-methods" not in preflight(origin, ("POST",))["headers"]


def test_a_listed_origin_is_named_exactly():
    assert cors_headers("https://other.example")["access-control-allow-origin"] == "https://other.example"
    allowed = preflight("https://other.example", ("POST",))
    assert (allowed["statusCode"], allowed["headers"]["access-control-allow-methods"]) == (204, "POST")
    assert "access-control-allow-credentials" not in allowed["headers"]
