"""Our verifier beside the one of Mercado Pago's own SDK (mercadopago), over the same cases.

Where they differ, the difference must be one of FLAWS: what we know of theirs and decided otherwise.
"""

import hmac
from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mercadopago.webhook.validator import InvalidWebhookSignatureError, WebhookSignatureValidator

from shared.errors import Refused
from shared.guard.verify import mercadopago

SECRET = "panel secret"
NOW = 1_800_000_000
TS = str(NOW)


class Case(NamedTuple):
    """One delivery. `header` is made of the rest unless it is given."""

    data_id: str = "123456"
    request_id: str = "2f6a1c9e"
    ts: str = TS
    secret: str = SECRET
    signed_as: str | None = None
    signed_with: str = SECRET
    header_form: str = "ts={ts},v1={v1}"

    @property
    def header(self) -> str:
        signed_id = self.data_id if self.signed_as is None else self.signed_as
        pairs = (("id", signed_id), ("request-id", self.request_id), ("ts", self.ts))
        manifest = "".join(f"{name}:{value};" for name, value in pairs if value)
        v1 = hmac.new(self.signed_with.encode(), manifest.encode("utf-8", "surrogatepass"), "sha256").hexdigest()
        return self.header_form.format(ts=self.ts, v1=v1, V1=v1.upper())


def theirs(case: Case, tolerance: int | None = None) -> str:
    try:
        WebhookSignatureValidator.validate(
            case.header,
            case.request_id,
            case.data_id,
            case.secret,
            tolerance_seconds=tolerance,
            now=lambda: NOW * 1000,
        )
    except InvalidWebhookSignatureError:
        return "refused"
    except Exception:
        return "raised"
    return "accepted"


def ours(case: Case) -> str:
    data_ids = [case.data_id] if case.data_id else []
    try:
        mercadopago.verify_signature(case.header, case.request_id, data_ids, [case.secret], NOW)
    except Refused:
        return "refused"
    return "accepted"


class Flaw(NamedTuple):
    """What their verdict and ours are where `applies`, and a case that shows it."""

    applies: Callable[[Case], bool]
    theirs: str
    ours: str
    shown_by: Case


def keys_of(case: Case) -> list[str]:
    return [part.strip().partition("=")[0] for part in case.header.split(",")]


def values_of(case: Case) -> list[str]:
    return [case.data_id, case.request_id]


FLAWS = {
    "an empty secret is a secret": Flaw(
        lambda case: not case.secret, "accepted", "refused", Case(secret="", signed_with="")
    ),
    "a v1 that is not ASCII raises": Flaw(
        lambda case: not case.header.isascii(), "raised", "refused", Case(header_form="ts={ts},v1=é")
    ),
    "a value with half a surrogate pair raises": Flaw(
        lambda case: any("\ud800" <= letter <= "\udfff" for value in values_of(case) for letter in value),
        "raised",
        "refused",
        Case(data_id="\ud800"),
    ),
    "of several ts or v1 the last counts": Flaw(
        lambda case: any(keys_of(case).count(key) > 1 for key in ("ts", "v1")),
        "accepted",
        "refused",
        Case(header_form="ts=1,v1=0,ts={ts},v1={v1}"),
    ),
    "keys are taken in any case": Flaw(
        lambda case: {"TS", "V1"} & set(keys_of(case)) != set(),
        "accepted",
        "refused",
        Case(header_form="TS={ts},V1={v1}"),
    ),
    "spaces around a part's value are taken off": Flaw(
        lambda case: "= " in case.header, "accepted", "refused", Case(header_form="ts= {ts},v1= {v1}")
    ),
    "an id that is signed in lower case is refused": Flaw(
        lambda case: case.signed_as == case.data_id.lower(), "refused", "accepted", Case("ORD01", signed_as="ord01")
    ),
    "one value may stand for two signed pairs": Flaw(
        lambda case: any(";" in value for value in values_of(case)),
        "accepted",
        "refused",
        Case("123456;request-id:2f6a1c9e", request_id=""),
    ),
    "ids may hold anything": Flaw(
        lambda case: any(not value.isascii() or not value.isprintable() or " " in value for value in values_of(case)),
        "accepted",
        "refused",
        Case("é"),
    ),
    "ids may be of any length": Flaw(
        lambda case: any(len(value) > 200 for value in values_of(case)), "accepted", "refused", Case("1" * 201)
    ),
    "a signature may cover the time alone": Flaw(
        lambda case: not case.data_id and not case.request_id, "accepted", "refused", Case("", request_id="")
    ),
    "digits of other scripts and of any number make a time": Flaw(
        lambda case: not case.ts.isascii() or len(case.ts) > 16, "accepted", "refused", Case(ts="٣")
    ),
    "any time to come is accepted": Flaw(
        lambda case: case.ts.isdecimal() and mercadopago.seconds_of(case.ts) > NOW + mercadopago.FUTURE_SECONDS,
        "accepted",
        "refused",
        Case(ts="9" * 12),
    ),
}


@pytest.mark.parametrize("name", FLAWS)
def test_a_known_flaw_is_still_there(name):
    flaw = FLAWS[name]
    assert flaw.applies(flaw.shown_by)
    assert (theirs(flaw.shown_by), ours(flaw.shown_by)) == (flaw.theirs, flaw.ours)


def test_their_tolerance_refuses_every_time_in_milliseconds():
    assert theirs(Case(), tolerance=300) == "accepted"
    assert theirs(Case(ts=TS + "000"), tolerance=300) == "refused"
    assert ours(Case(ts=TS + "000")) == "accepted"


values = st.one_of(
    st.sampled_from(["123456", "ORD01JD4Z", "2f6a1c9e-0b7d", "", "a;ts:1"]),
    st.text(max_size=12),
    st.from_regex(r"[!-~]{1,40}", fullmatch=True),
)
forms = ["ts={ts},v1={v1}", "v1={v1}, ts={ts}", "ts={ts},v2=x,v1={v1}", "ts={ts},v1={V1}", "ts={ts},v1={v1}0"]
forms += [
    "ts={ts}",
    "v1={v1}",
    "",
    ",,=",
    "ts={ts},v1=é",
    "ts={ts},v1=",
    *(flaw.shown_by.header_form for flaw in FLAWS.values()),
]
cases = st.builds(
    Case,
    data_id=values,
    request_id=values,
    ts=st.integers(0, NOW * 3).map(str)
    | st.integers(10**12, NOW * 2000).map(str)
    | st.sampled_from([TS, "", "x", "²"]),
    secret=st.sampled_from([SECRET, SECRET, "another", ""]),
    signed_as=st.none() | st.none() | values,
    signed_with=st.sampled_from([SECRET, SECRET, ""]),
    header_form=st.sampled_from(forms),
)


@given(cases)
@example(Case())
def test_every_difference_is_a_known_flaw(case):
    verdicts = (theirs(case), ours(case))
    known = [name for name, flaw in FLAWS.items() if flaw.applies(case) and (flaw.theirs, flaw.ours) == verdicts]
    assert verdicts[0] == verdicts[1] or known, f"{verdicts} of {case}"
