"""Our verifier beside the one of Paddle's own SDK (paddle-python-sdk), over the same cases.

Where they differ, the difference must be one of FLAWS: what we know of theirs and decided otherwise.
"""

import hmac
import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paddle_billing.Notifications import Secret, Verifier

from shared.errors import Refused
from shared.guard.verify import paddle

SECRET, OTHER = "pdl_ntfset_one", "pdl_ntfset_other"
BODY = '{"event_id":"evt_01","text":"ação"}'.encode()
NOW = 1_671_552_777
TOLERANCE = 5

# The class hides the module of the same name.
verifier_module = importlib.import_module("paddle_billing.Notifications.Verifier")


class Case(NamedTuple):
    """One delivery. In `header_form` {good}, {other} and {empty} are the digests of the three secrets."""

    header_form: str = "ts={ts};h1={good}"
    ts: int = NOW
    body: bytes = BODY
    signed_body: bytes = BODY
    secrets: tuple[str, ...] = (SECRET,)

    @property
    def header(self) -> str:
        message = f"{self.ts}:".encode() + self.signed_body
        digests = {
            name: hmac.new(secret.encode(), message, "sha256").hexdigest()
            for name, secret in (("good", SECRET), ("other", OTHER), ("empty", ""))
        }
        return self.header_form.format(ts=self.ts, GOOD=digests["good"].upper(), **digests)


def theirs(case: Case) -> str:
    request = SimpleNamespace(headers={"Paddle-Signature": case.header}, body=case.body)
    secrets = [Secret(secret) for secret in case.secrets]
    try:
        with mock.patch.object(verifier_module, "time", return_value=NOW):
            passed = Verifier(TOLERANCE).verify(request, secrets if len(secrets) > 1 else secrets[0])
    except Exception:
        return "raised"
    return "accepted" if passed else "refused"


def ours(case: Case) -> str:
    try:
        paddle.verify_signature(case.body, case.header, case.secrets, NOW, TOLERANCE)
    except Refused:
        return "refused"
    return "accepted"


class Flaw(NamedTuple):
    """What their verdict may be where `applies`, what ours is, and a case that shows it."""

    applies: Callable[[Case], bool]
    theirs: str
    ours: str
    shown_by: Case


def parts_of(case: Case) -> list[str]:
    return [part for part in case.header.split(";") if "=" in part]


def given_values(case: Case, key: str) -> list[str]:
    return [part.partition("=")[2] for part in parts_of(case) if part.partition("=")[0] == key]


def has_unknown_key(case: Case) -> bool:
    return any(part.partition("=")[0] not in ("ts", "h1") for part in parts_of(case))


def is_no_number(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return True
    return False


def is_no_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return True
    return False


FLAWS = {
    "an empty secret is a secret": Flaw(
        lambda case: "" in case.secrets, "accepted", "refused", Case("ts={ts};h1={empty}", secrets=("",))
    ),
    "a key of a version to come raises": Flaw(has_unknown_key, "raised", "accepted", Case("ts={ts};h1={good};h2=x")),
    "such a key raises where the signature is wrong, too": Flaw(
        has_unknown_key, "raised", "refused", Case("ts={ts};h1={other};h2=x")
    ),
    "a space after a semicolon raises": Flaw(
        lambda case: "; " in case.header, "raised", "accepted", Case("ts={ts}; h1={good}")
    ),
    "a second equals sign raises": Flaw(
        lambda case: any(part.count("=") > 1 for part in parts_of(case)),
        "raised",
        "refused",
        Case("ts={ts};h1={good}="),
    ),
    "an h1 that is not ASCII raises, even before a good one": Flaw(
        lambda case: not case.header.isascii(), "raised", "accepted", Case("ts={ts};h1=é;h1={good}")
    ),
    "an h1 that is not ASCII raises": Flaw(
        lambda case: not case.header.isascii(), "raised", "refused", Case("ts={ts};h1=é")
    ),
    "a time that is no number raises": Flaw(
        lambda case: any(is_no_number(text) for text in given_values(case, "ts")[-1:]),
        "raised",
        "refused",
        Case("ts=soon;h1={good}"),
    ),
    "a body that is not UTF-8 raises": Flaw(
        lambda case: is_no_utf8(case.body), "raised", "refused", Case(body=b"\xff")
    ),
    "a body that is not UTF-8 raises though it is signed": Flaw(
        lambda case: is_no_utf8(case.body), "raised", "accepted", Case(body=b"\xff", signed_body=b"\xff")
    ),
    "with several secrets a wrong signature raises": Flaw(
        lambda case: len(case.secrets) > 1, "raised", "refused", Case("ts={ts};h1={empty}", secrets=(SECRET, OTHER))
    ),
    "of several times the last counts": Flaw(
        lambda case: len(given_values(case, "ts")) > 1, "accepted", "refused", Case("ts=1;ts={ts};h1={good}")
    ),
    "the time may be spelled in other ways than it is signed": Flaw(
        lambda case: any(text != str(case.ts) for text in given_values(case, "ts")),
        "accepted",
        "refused",
        Case("ts=+0{ts};h1={good}"),
    ),
}


@pytest.mark.parametrize("name", FLAWS)
def test_a_known_flaw_is_still_there(name):
    flaw = FLAWS[name]
    assert flaw.applies(flaw.shown_by)
    assert (theirs(flaw.shown_by), ours(flaw.shown_by)) == (flaw.theirs, flaw.ours)


def test_an_environment_variable_turns_their_clock_off(monkeypatch):
    stale = Case(ts=NOW - 3600)
    assert (theirs(stale), ours(stale)) == ("refused", "refused")
    monkeypatch.setenv("TEST_MODE", "1")
    assert (theirs(stale), ours(stale)) == ("accepted", "refused")


pieces = ["ts={ts}", "ts={ts}", "h1={good}", "h1={good}", "h1={other}", "h1={empty}", "h1={GOOD}", "h1={good}0"]
pieces += ["h1=dummy", "h1=", "h1=é", "h2={good}", " h1={good}", "ts=", "ts=1", "ts=+{ts}", "ts=soon", "x", "=", ""]
bodies = st.sampled_from([BODY, BODY, BODY + b" ", b"", b"\xff"])
cases = st.builds(
    Case,
    header_form=st.just("ts={ts};h1={good}") | st.lists(st.sampled_from(pieces), max_size=5).map(";".join),
    ts=st.integers(NOW - 8, NOW + 8),
    body=bodies,
    signed_body=bodies,
    secrets=st.lists(st.sampled_from([SECRET, SECRET, OTHER, ""]), min_size=1, max_size=3).map(tuple),
)


@given(cases)
@example(Case())
@example(Case("ts={ts};h1={other};h1={good}", secrets=(OTHER, SECRET)))
def test_every_difference_is_a_known_flaw(case):
    verdicts = (theirs(case), ours(case))
    known = [name for name, flaw in FLAWS.items() if flaw.applies(case) and (flaw.theirs, flaw.ours) == verdicts]
    assert verdicts[0] == verdicts[1] or known, f"{verdicts} of {case}"
