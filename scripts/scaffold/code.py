"""The file of a new function, and that of its test."""

from scripts.scaffold.name import Name

GUARDS = {
    "webhook": 'hmac("{scheme}")',
    "queue": 'queue("{subject}")',
    "cron": "cron()",
    "ai": "jwt()",
    "app": "jwt()",
    "public": 'public(reason="Say here why nobody needs to be known.", rate=60)',
}
CALLERS = {
    "webhook": "The provider calls about {words}.",
    "queue": "The {words} queue calls with one id at a time.",
    "cron": "A schedule calls for {words}.",
    "ai": "The console calls for {words}.",
    "app": "The console calls for {words}.",
    "public": "Anybody may ask for {words}.",
}
RATES = {"webhook": "    rate=600,", "ai": "    rate=30,", "app": "    rate=30,"}
METHODS = {"public": "GET", "queue": "", "cron": ""}
SECONDS = {"webhook": 3.0, "queue": 28.0, "cron": 25.0, "public": 2.0}
BODY_LIMITS = {"webhook": "64 * 1024", "ai": "16 * 1024", "app": "16 * 1024"}


def function_file(name: Name) -> str:
    """functions/<name>.py: its guard, and a body that is not built."""
    kind = GUARDS[name.prefix].format(scheme=name.scheme if name.prefix == "webhook" else "", subject=name.subject)
    secrets = "".join(f'"{secret}", ' for secret in name.secrets)
    secrets = f"({secrets[:-1] if len(name.secrets) == 1 else secrets[:-2]})"
    method = METHODS.get(name.prefix, "POST")
    lines = [
        f"    {kind},",
        f'    methods=("{method}",),' if method else "",
        f"    body_limit={BODY_LIMITS[name.prefix]}," if name.prefix in BODY_LIMITS else "",
        f"    seconds={SECONDS.get(name.prefix, 10.0)},",
        RATES.get(name.prefix, ""),
        f"    secrets={secrets},",
        "    writes=(),",
        f'    store_down="{"queue" if name.prefix == "queue" else "refuse"}",',
    ]
    imported = ", ".join(sorted({"guard", kind.partition("(")[0]}))
    return f'''\
"""{CALLERS[name.prefix].format(words=name.subject.replace("_", " "))}

Nothing is read or written yet. The answer is 501, once the guard is passed.
"""

from shared.errors import NotBuilt
from shared.guard import Request, Response, {imported}

GUARD = guard(
{chr(10).join(line for line in lines if line)}
)


@GUARD
def handler(request: Request) -> Response:
    """Not built."""
    raise NotBuilt()
'''


def test_file(name: Name) -> str:
    """tests/functions/test_<name>.py: a refusal beside the success, so that it cannot be refused for another reason."""
    return {"webhook": _webhook, "queue": _queue, "cron": _cron, "public": _public}.get(name.prefix, _console)(name)


def _console(name: Name) -> str:
    return f'''\
def test_a_member_is_let_in_and_a_stranger_is_not(world):
    assert world.call_as_owner("{name.path}", {{}}).status_code == 501
    assert world.call("POST", "{name.path}", json={{}}).status_code == 401
'''


def _cron(name: Name) -> str:
    return f'''\
def test_the_secret_of_the_schedule_is_accepted_and_another_is_not(world, caplog):
    good = {{"schedule": "{name}", "authorization": f"Bearer {{world.plan.keys.cron}}"}}
    world.invoke("{name}", good)
    assert caplog.records[-1].problem == "not_built"
    world.invoke("{name}", good | {{"authorization": "Bearer another"}})
    assert caplog.records[-1].refusal == "cron_secret_wrong"
'''


def _public(name: Name) -> str:
    return f'''\
from shared import clock


def test_anybody_is_answered_within_the_rate(world):
    with clock.held_at(1_800_000_000.0):
        answers = [world.call("GET", "{name.path}").status_code for _ in range(61)]
    assert answers == [501] * 60 + [429]
'''


def _queue(name: Name) -> str:
    return f'''\
from tests.refusals.attacks import Consumer

TARGET = Consumer("{name}", "{name.subject}")


def test_a_sealed_envelope_passes_the_guard_and_another_does_not(world, caplog):
    TARGET.ask(world, TARGET.records(world, TARGET.envelope(world)))
    assert [getattr(record, "refusal", "") for record in caplog.records] == [""]
    TARGET.ask(world, TARGET.records(world, TARGET.envelope(world, key="a guess")))
    assert caplog.records[-1].refusal == "envelope_wrong"
'''


def _webhook(name: Name) -> str:
    # What Mercado Pago's guard cannot verify it lets through as untrusted, to be kept.
    attack, status = ("wrong method", 405) if name.scheme == "mercadopago" else ("another secret", 401)
    return f'''\
from tests.refusals.attacks import HMAC
from tests.refusals.rows import ROWS


def test_the_provider_is_let_in_and_an_attacker_is_not(world):
    target = ROWS["{name}"]
    assert target.ask(world, target.good(world)).said == "501"
    refused = HMAC["{attack}"](world, target)
    assert refused is not None
    assert refused.said == "{status}"
'''
