import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Refused
from shared.guard.verify.cron import verify_bearer


@pytest.mark.parametrize(
    ("authorization", "secrets", "name"),
    [
        (None, ["s"], "cron_secret_missing"),
        ("", ["s"], "cron_secret_missing"),
        ("s", ["s"], "cron_secret_missing"),
        ({"Bearer": "s"}, ["s"], "cron_secret_missing"),
        ("Bearer x", ["s"], "cron_secret_wrong"),
        ("Bearer ", [""], "cron_secret_wrong"),
        ("Bearer s", [], "cron_secret_wrong"),
        ("Bearer \ud800", ["s"], "cron_secret_wrong"),
    ],
)
def test_only_a_live_secret_is_admitted(authorization, secrets, name):
    verify_bearer("Bearer s", ["new", "s"])
    with pytest.raises(Refused) as caught:
        verify_bearer(authorization, secrets)
    assert caught.value.name == name


@given(st.text())
def test_no_other_text_is_admitted(text):
    with pytest.raises(Refused):
        verify_bearer(f"Bearer {text}x", ["s"])
