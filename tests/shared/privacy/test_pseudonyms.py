"""One customer, one name, whatever notation the number came in; and no name without the key."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Unavailable
from shared.privacy import mask_pii, pseudonyms, redact, scrub
from shared.privacy.pseudonyms import kinds_of, normalised_email, normalised_phone, pseudonym

FORM = re.compile(r"[a-z]+~[1-9][0-9]{0,2}\.[a-z2-7]{12}")
KEYS = ["newer key", "older key"]


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    held = [*KEYS]
    monkeypatch.setattr(pseudonyms, "live", lambda secret: tuple(held))
    return held


@pytest.mark.parametrize(
    ("normal", "notations"),
    [
        ("5511987654321", ["+55 11 98765-4321", "551187654321", "0055 (11) 8765-4321", "55 11 9 8765.4321"]),
        ("551133334444", ["+55 11 3333-4444"]),
        ("525512345678", ["+52 1 55 1234 5678", "5215512345678", "+52 55 1234 5678"]),
        (
            "541155550101",
            [
                *("5491155550101", "+54 9 11 5555-0101", "+54 11 5555 0101", "54 11 15 5555 0101", "+54 011 5555-0101"),
                *(
                    "＋５４９１１５５５５０１０１",
                    "\u202a+54\u00a09\u00a011\u00a05555\u20110101\u202c",
                    "٥٤٩١١٥٥٥٥٠١٠١",
                ),
                *("tel:+5491155550101", "whatsapp:+5491155550101", "%2B5491155550101", "549\u200b1155550101"),
                *("5491155550101@s.whatsapp.net", "5491155550101:12@s.whatsapp.net", "5491155550101@c.us"),
            ],
        ),
        ("543435550101", ["+54 9 343 555 0101", "+54 343 15 555 0101", "+54 0343 155550101"]),
        ("56987654321", ["+56 9 8765 4321", "0056987654321"]),
        ("AR.1a2b3c4d5e", ["AR.1a2b3c4d5e"]),
        ("", [""]),
    ],
)
def test_one_number_has_one_name(normal, notations):
    assert [normalised_phone(notation) for notation in notations] == [normal] * len(notations)
    assert len({pseudonym("contact", notation) for notation in notations}) == 1
    assert normalised_phone(normal) == normal


@pytest.mark.parametrize(
    ("normal", "notations"),
    [
        (
            "ana@exemplo.com.br",
            ["Ana@Exemplo.com.br", "ana+loja@exemplo.com.br", " ana%40exemplo.com.br ", "mailto:ana@exemplo.com.br"],
        ),
        ("josé@xn--and-6ma2c.com", ["José@ñandú.com", "jos\u0065\u0301@ÑANDÚ.com"]),
        ("+@x.example", ["+@x.example"]),
        ("a@" + "é" * 80, ["a@" + "é" * 80]),
    ],
)
def test_one_mailbox_has_one_name(normal, notations):
    assert [normalised_email(notation) for notation in notations] == [normal] * len(notations)


def test_names_differ_by_kind_key_and_value(keys):
    names = {pseudonym(kind, value) for kind in ("contact", "phone", "email") for value in ("5491155550101", "a@b.co")}
    assert len(names) == 6
    [newer, older] = pseudonyms.pseudonyms("contact", "5491155550101")
    assert newer == pseudonym("contact", "5491155550101")
    keys.pop(0)
    assert pseudonyms.pseudonyms("contact", "5491155550101") == [older]
    assert newer.partition(".")[0] != older.partition(".")[0]


def test_a_name_is_the_same_tomorrow():
    """So that support finds the lines of before a release; a change here needs new keys."""
    assert pseudonym("contact", "5491155550101") == "contact~800.tuxccfglhvtq"


def test_without_a_key_there_is_no_name(monkeypatch):
    def gone(secret: object) -> tuple[str, ...]:
        raise Unavailable("secret_missing_PSEUDONYM_KEY")

    monkeypatch.setattr(pseudonyms, "live", gone)
    with pytest.raises(Unavailable):
        pseudonym("contact", "5491155550101")


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("+54 9 11 5555-0101", ("contact", "phone")),
        ("5491155550101@s.whatsapp.net", ("contact", "phone")),
        ("AR.1a2b3c", ("contact", "phone")),
        ("ana@exemplo.com", ("email",)),
    ],
)
def test_support_looks_a_value_up_under_its_kinds(text, kinds):
    assert kinds_of(text) == kinds


@given(st.sampled_from(["contact", "phone", "email"]), st.text(max_size=400))
def test_any_text_gets_a_name_that_the_masker_leaves_alone(kind, text):
    name = pseudonym(kind, text)
    assert FORM.fullmatch(name)
    for line in (name, f"to {name}, again", f'{{"contact": "{name}"}}', f"x={name}"):
        assert scrub(line) == mask_pii(line) == redact(line) == line
    assert scrub({"contact": name, name: [name]}) == {"contact": name, name: [name]}


@given(st.text(alphabet="0123456789+ ()-", max_size=24))
def test_a_number_that_is_normal_stays_so(text):
    once = normalised_phone(text)
    assert normalised_phone(once) == once
