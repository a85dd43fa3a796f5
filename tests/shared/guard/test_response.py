import json

import pytest

from local.plan import PROJECT
from local.template import load_template
from shared.errors import TITLES, Problem, Unavailable
from shared.guard.response import Response, cors_headers, preflight, render, render_problem


@pytest.fixture(autouse=True)
def origins(monkeypatch):
    monkeypatch.setenv("ALLOWED_ORIGINS", "https://console.example https://other.example")


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


@pytest.mark.parametrize(
    "malformed",
    [
        "https://console.example,https://other.example",
        "https://console.example/",
        "https://console.example/path",
        "https://Console.example",
        "https://user@console.example",
        "http://console.example",
        "https://console.example https://console.example",
        "https://*.example",
        "*",
        "null",
        "console.example",
        "https://console.example:0",
        "https://",
    ],
)
@pytest.mark.parametrize("origin", ["", "https://console.example"])
def test_malformed_list_of_origins_is_refused_by_name(monkeypatch, malformed, origin):
    assert cors_headers(origin)["vary"] == "Origin"
    monkeypatch.setenv("ALLOWED_ORIGINS", malformed)
    with pytest.raises(Unavailable, match="setting_malformed_ALLOWED_ORIGINS"):
        cors_headers(origin)


def test_deployed_origins_are_one_list_for_the_guard_and_the_buckets(monkeypatch):
    text = (PROJECT / "serverless.yml").read_text()
    # CloudFormation divides the list for the buckets by the same sign.
    assert text.count("AllowedOrigins:") == text.count('AllowedOrigins: !Split [" ", "${param:allowedOrigins}"]') == 2
    for stage in ("dev", "prod"):
        template = load_template(PROJECT / "serverless.yml", stage, "sa-east-1", "123456789012")
        origins = str(template.functions["app_upload"].environment["ALLOWED_ORIGINS"])
        monkeypatch.setenv("ALLOWED_ORIGINS", origins)
        for origin in origins.split():
            assert cors_headers(origin)["access-control-allow-origin"] == origin
