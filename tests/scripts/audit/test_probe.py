"""The live audit against the whole offline world, and against servers that each have one hole."""

import base64
import hmac
import json
from dataclasses import replace
from datetime import date

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from local.serve import bind, serve
from scripts.audit.declared import EVENT_KINDS, Declared
from scripts.audit.findings import AuditError
from scripts.audit.probe import SECURITY_HEADERS, Answer, judge, probe
from scripts.audit.suite import audit
from scripts.audit_guards import PROJECT, main
from tests.scripts.audit.good_suite import FILES, write

TODAY = date(2026, 11, 23)
ORIGIN = "https://attacker.example"
SECURE = {
    "strict-transport-security": "max-age=63072000",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=()",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


def problem(status, **more):
    document = {"type": "about:blank", "title": "No", "status": status, **more}
    return Response(json.dumps(document), status, SECURE | {"content-type": "application/problem+json"})


def well(status=200, body=None):
    return Response(json.dumps(body or {}), status, SECURE, "application/json")


@pytest.fixture
def functions(tmp_path) -> list[Declared]:
    """One function of each kind that answers over HTTP, and Mercado Pago's webhook."""
    found = audit(write(tmp_path, FILES), TODAY).functions
    meta = next(function for function in found if function.name == "webhook_meta")
    arguments = meta.arguments | {"methods": ("POST",)}
    return [*found, replace(meta, name="webhook_mercadopago", options={"scheme": "mercadopago"}, arguments=arguments)]


def server(functions, hole=None):
    """Refuses what it must, but for the answers that `hole(function, request, body)` gives."""
    by_path = {function.path: function for function in functions if function.kind != "queue"}

    async def answer(request: Request) -> Response:
        function, body = by_path.get(request.url.path), await request.body()
        if function is not None and hole is not None and (gap := hole(function, request, body)) is not None:
            return gap
        routed = function is not None and request.method in (
            *function.methods,
            "OPTIONS"[: 7 * (function.kind == "jwt")],
        )
        if not routed:
            return Response('{"message": "Not Found"}', 404, media_type="application/json")
        if len(body) > function.arguments.get("body_limit", 0):
            return problem(413)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=SECURE)
        if function.kind == "public":
            return well()
        return well(body={"kept": 1}) if function.argument == "mercadopago" else problem(401)

    app = Starlette()
    app.add_route("/{path:path}", answer, ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    return app


def attack(functions, hole=None):
    with serve(server(functions, hole)) as url:
        return probe(url, functions, ORIGIN, "")


def named(outcomes, verdict):
    return {(outcome.function.name, outcome.attack.name) for outcome in outcomes if outcome.verdict == verdict}


def complaints(outcomes):
    return {complaint for outcome in outcomes for complaint in outcome.complaints}


def test_the_offline_world_refuses_every_attack(world, capsys):
    before = world.rows("select count(*) from inbox")
    issuer = f"{world.plan.url('supabase')}/auth/v1"
    found = audit(PROJECT, TODAY).functions
    outcomes = probe(world.plan.url("gateway"), found, ORIGIN, issuer)
    assert {outcome.function.name for outcome in outcomes} == {
        name.name for name in found if name.kind not in EVENT_KINDS
    }
    assert [(o.function.name, o.attack.name, o.complaints) for o in outcomes if o.complaints] == []
    assert {name for name, _ in named(outcomes, "quarantined")} == {"webhook_mercadopago"}
    assert len(outcomes) > 400
    assert world.rows("select count(*) from inbox") == before


def test_a_server_that_refuses_everything_has_no_complaints(functions):
    outcomes = attack(functions)
    assert complaints(outcomes) == set()
    assert {outcome.verdict for outcome in outcomes} == {
        "refused",
        "no route",
        "not allowed",
        "quarantined",
        "answered",
    }


def test_an_open_server_is_named_function_by_function(functions):
    outcomes = attack(functions, lambda function, request, body: well())
    inside = {name for name, _ in named(outcomes, "GOT IN")}
    assert inside == {"app_thing", "webhook_meta", "webhook_mercadopago", "public_health"}
    assert len(named(outcomes, "GOT IN")) > 50


def _alg_none(function, request, body):
    header = request.headers.get("authorization", "").removeprefix("Bearer ").partition(".")[0]
    try:
        algorithm = json.loads(base64.urlsafe_b64decode(header + "=="))["alg"].lower()
    except (ValueError, KeyError):
        return None
    return well() if function.kind == "jwt" and algorithm == "none" else None


def _empty_secret(function, request, body):
    mac = f"sha256={hmac.new(b'', body, 'sha256').hexdigest()}"
    given = request.headers.getlist("x-hub-signature-256") == [mac]
    return well() if function.argument == "meta" and given else None


def _query(function, request, body):
    return well() if function.kind == "jwt" and "access_token" in request.query_params else None


def _handshake(function, request, body):
    opened = request.method == "GET" and request.query_params.get("hub.verify_token") == ""
    return well() if function.argument == "meta" and opened else None


def _admitted_but_not_built(function, request, body):
    return problem(501) if function.kind == "jwt" and b"access_token" in body else None


def _method(function, request, body):
    return well() if function.kind == "jwt" and request.method == "DELETE" else None


def _redirect(function, request, body):
    moved = function.kind == "jwt" and request.query_params
    return Response(status_code=302, headers={"location": "/", **SECURE}) if moved else None


@pytest.mark.parametrize(
    ("hole", "expected"),
    [
        (_alg_none, {("app_thing", "token with alg none"), ("app_thing", "service role with alg none")}),
        (_empty_secret, {("webhook_meta", "signed with an empty secret")}),
        (_query, {("app_thing", "token in the query")}),
        (_handshake, {("webhook_meta", "handshake, empty token")}),
        (_admitted_but_not_built, {("app_thing", "token in the body")}),
        (_method, {("app_thing", "method DELETE")}),
        (_redirect, {("app_thing", "token in the query")}),
    ],
)
def test_the_attack_that_got_in_is_named(functions, hole, expected):
    assert named(attack(functions, hole), "GOT IN") == expected


def _on_cookie(answer):
    return lambda function, request, body: (
        answer() if function.kind == "jwt" and request.method == "POST" and "cookie" in request.headers else None
    )


def _allowing():
    refusal = problem(401)
    refusal.headers["access-control-allow-origin"] = "*"
    return refusal


def _without_hsts():
    refusal = problem(401)
    del refusal.headers["strict-transport-security"]
    return refusal


@pytest.mark.parametrize(
    ("answer", "verdict", "complaint"),
    [
        (lambda: Response("x", 500), "FAULT", "500 is a fault, not a refusal"),
        (lambda: problem(503), "FAULT", "503 is a fault, not a refusal"),
        (lambda: problem(401, detail='File "x.py", line 3'), "LEAK", "it shows the inside"),
        (lambda: problem(401, detail="x" * 300), "LEAK", "it is longer than 300 bytes"),
        (lambda: problem(401, cause="secret"), "LEAK", "it is no problem document of ours"),
        (lambda: problem(401, detail="The secret is wrong."), "LEAK", "it tells this cause from the others"),
        (lambda: Response("No", 401, SECURE), "LEAK", "it is no application/problem+json"),
        (_allowing, "LEAK", "a foreign page may read it"),
        (_without_hsts, "LEAK", "header strict-transport-security is missing or weak"),
        (
            lambda: Response('{"message": "Too Many Requests"}', 429),
            "LEAK",
            "the gateway answered, so the guard was not tried",
        ),
    ],
)
def test_a_refusal_that_says_too_much_is_named(functions, answer, verdict, complaint):
    outcomes = attack(functions, _on_cookie(answer))
    assert {(outcome.attack.name, outcome.verdict) for outcome in outcomes if outcome.complaints} == {
        ("token in a cookie", verdict)
    }
    assert complaint in complaints(outcomes)


def test_a_quarantine_that_speaks_of_an_effect_is_named(functions):
    def hole(function, request, body):
        return well(body={"status": "approved"}) if function.argument == "mercadopago" else None

    assert 'it speaks of an effect: {"status": "approved"}' in complaints(attack(functions, hole))


def test_a_public_function_that_does_not_answer_is_named(functions):
    def hole(function, request, body):
        return problem(401) if function.kind == "public" and request.method == "GET" and not body else None

    assert "401: anybody may call this" in complaints(attack(functions, hole))


def test_a_foreign_page_that_is_allowed_is_named(functions):
    def hole(function, request, body):
        allowed = SECURE | {"access-control-allow-origin": request.headers.get("origin", "")}
        return Response(status_code=204, headers=allowed) if request.method == "OPTIONS" else None

    outcomes = attack(functions, hole)
    assert ("app_thing", "preflight from a foreign page") in named(outcomes, "LEAK")


def test_no_answer_is_no_refusal(functions):
    [complaint] = judge(functions[0], attack(functions)[0].attack, Answer(0, body=b"ReadTimeout: "))
    assert complaint == "no answer: ReadTimeout: "


def test_nobody_there_and_nothing_to_attack_are_no_audit(functions, capsys):
    with bind(0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(AuditError, match="nobody answers"):
        probe(url, functions, ORIGIN, "")
    with pytest.raises(AuditError, match="nothing to attack"):
        probe(url, [], ORIGIN, "")
    assert main(["--probe", url]) == 2
    assert f"nobody answers at {url}" in capsys.readouterr().err


def test_a_scheme_that_nobody_can_forge_yet_is_no_audit(functions):
    unknown = replace(functions[-1], options={"scheme": "stripe"})
    with pytest.raises(AuditError, match=r"hmac\(stripe\): add it to scripts/audit/forgery.py"):
        probe("http://127.0.0.1:1", [unknown], ORIGIN, "")


def test_the_command_reports_and_exits(tmp_path, functions, capsys):
    found = [function for function in functions if function.name != "webhook_mercadopago"]
    with serve(server(found)) as url:
        assert main([str(tmp_path), "--probe", url]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "cron_sweep  cron" not in said
    assert said[-1].startswith("3 functions, ")
    assert said[-1].endswith(" attacks, 0 not as they must be")
    assert all(len(line) <= 110 for line in said)
    with serve(server(found, _alg_none)) as url:
        assert main([str(tmp_path), "--probe", url, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["version"] == 1
    assert document["counts"]["complaints"] == 2
    got_in = [
        (function["name"], attack["name"], attack["status"])
        for function in document["functions"]
        for attack in function["attacks"]
        if attack["verdict"] == "GOT IN"
    ]
    assert got_in == [
        ("app_thing", "token with alg none", 200),
        ("app_thing", "service role with alg none", 200),
    ]


def test_the_security_headers_demanded_are_those_that_the_guard_sends():
    from shared.guard import response

    assert SECURITY_HEADERS.keys() <= response.SECURITY_HEADERS.keys()
