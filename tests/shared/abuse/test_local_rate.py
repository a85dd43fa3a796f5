import ast

import pytest

from local.plan import PROJECT
from shared.abuse.local_rate import KEYS_KEPT, LocalRate, source_key
from shared.errors import RateExceeded
from shared.guard.kinds import Public
from shared.guard.request import Caller, HttpCall


def test_an_idle_key_has_the_whole_limit_and_then_one_call_an_increment():
    rate = LocalRate(limit=3, seconds=60)
    assert [rate.wait("a", now=100.0) for _ in range(4)] == [0, 0, 0, 20]
    assert rate.wait("a", now=119.0) == 1
    assert rate.wait("a", now=120.0) == 0
    assert rate.wait("a", now=120.0) == 20


def test_a_clock_that_goes_back_locks_nobody_out():
    rate = LocalRate(limit=1, seconds=60)
    assert rate.wait("a", now=1000.0) == 0
    assert rate.wait("a", now=1000.0) == 60
    assert rate.wait("a", now=500.0) == 0
    rate.forget()
    assert rate.wait("a", now=500.0) == 0


def test_keys_do_not_share_and_memory_is_bounded():
    rate = LocalRate(limit=1, seconds=60)
    assert [rate.wait(str(key), now=0.0) for key in range(KEYS_KEPT + 10)] == [0] * (KEYS_KEPT + 10)
    assert len(rate._arrival) == KEYS_KEPT


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("203.0.113.9", "203.0.113.9", True),
        ("203.0.113.9", "203.0.113.10", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:DB8:0001:0002:0:0:0:1", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.9", "203.0.113.9", True),
        ("::ffff:cb00:7109", "203.0.113.9", True),
        ("::ffff:203.0.113.9", "::ffff:203.0.113.10", False),
        ("", "fe80::1%eth0", True),
        ("203.0.113.009", "x" * 9999, True),
        ("\x00", "\ud800", True),
    ],
)
def test_addresses_of_one_caller_share_a_key(one, other, is_same):
    assert (source_key(one) == source_key(other)) is is_same


def test_caller_with_a_network_of_ipv6_is_limited_as_one():
    kind = Public("a page for everybody", rate=2)
    calls = [HttpCall("GET", {}, {}, b"", f"2001:db8:1:2::{number:x}", "") for number in range(3)]
    for call in calls[:2]:
        kind.admit(call, 0.0)
    with pytest.raises(RateExceeded):
        kind.admit(calls[2], 0.0)
    assert kind.admit(calls[0]._replace(source_ip="2001:db8:1:3::1"), 0.0) == Caller(kind="public")


def test_address_of_a_caller_is_read_only_to_limit_by_its_key():
    """An address that keys anything else is one more limit that a /64 walks around."""
    uses = []
    for path in (*(PROJECT / "shared").rglob("*.py"), *(PROJECT / "functions").glob("*.py")):
        tree = ast.parse(path.read_text())
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        limited = {
            id(argument)
            for call in calls
            if ast.unparse(call.func) in ("source_key", "quarantine.admit")
            for argument in call.args
        }
        uses += [
            (path.name, node.lineno, id(node) in limited)
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr == "source_ip"
        ]
    assert len(uses) >= 2
    assert [use[:2] for use in uses if not use[2]] == []
