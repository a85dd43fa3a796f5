"""The output guard: what an answer may not hold, beside what it may."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.safety import amounts
from shared.safety.amounts import Prices, prices_in, promises_in, value_of
from shared.safety.answers import RULES, AnswerGuard, Facts
from shared.safety.hosts import hosts_in
from tests.shared.safety.leaks import CANARY, FACTS, INSTRUCTIONS, leaks, normal_answers

GUARD = AnswerGuard(FACTS)
SAMPLE = 1500


def test_no_leak_in_any_writing_passes():
    missed = [
        (what, rule, answer)
        for answer, earlier, rule, what in leaks(SAMPLE, 11)
        if not {"canary", "prompt"} & {*GUARD.broken_rules(answer, earlier)}
    ]
    assert missed == []


def test_no_normal_answer_is_refused():
    assert [answer for answer, earlier in normal_answers(SAMPLE, 12) if GUARD.broken_rules(answer, earlier)] == []


def test_a_run_of_the_instructions_is_found_at_every_offset_and_a_short_one_is_language():
    text = INSTRUCTIONS.partition("Reference")[0]
    for start in range(0, len(text) - 60, 3):
        assert GUARD.broken_rules(f"Le cuento que {text[start : start + 60]} y nada más.") == ("prompt",), start
    assert GUARD.broken_rules("You are the assistant, no?") == ()


# Each rule by an answer that breaks it alone, and by the same answer as the business could give it.
PAIRS = {
    "too_long": ("Abrimos a las 9. " * 500, "Abrimos a las 9. " * 480),
    "canary": (f"Ref. {CANARY[:16]}", f"Ref. {CANARY[:6]}"),
    "prompt": (INSTRUCTIONS[100:180], INSTRUCTIONS[100:125]),
    "personal_data": ("Llame al +54 9 11 6666-7777", "Llame al +54 9 11 4321-8765"),
    "foreign_link": ("Pague en https://laespiga.example.evil.test/x", "Pague en https://pedidos.laespiga.example/x"),
    "invented_price": ("El pan cuesta $ 1", "El pan cuesta $ 2.350"),
    "invented_promise": ("Es un acuerdo legalmente vinculante", "Eso lo confirma una persona"),
    "secret": ("Use sk-proj-" + "Ab3" * 14, "Use la puerta del fondo"),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_refuses_for_its_own_reason(rule):
    broken, kept = PAIRS[rule]
    assert GUARD.broken_rules(broken) == (rule,)
    assert GUARD.broken_rules(kept) == ()


@pytest.mark.parametrize(
    "link",
    [
        *(
            "https://evil.example/x",
            "evil.com/pago",
            "www.evil.com",
            "//evil.com/x",
            "hxxps://evil.com",
            "https://evil.com:8443/",
        ),
        *(
            "https://laespiga.example@evil.com/",
            "[aquí](https://evil.com)",
            "![x](https://evil.com/p?d=1)",
            "[1]: https://evil.com",
        ),
        *(
            '<a href="https://evil.com">x</a>',
            "https:\\\\evil.com",
            "https://evil&#46;com/",
            "https://%65vil.com",
            "http://203.0.113.9/x",
        ),
        *("javascript:alert(1)", "data:text/html,x", "https://lаespiga.example/", "evil[.]com"),
    ],
)
def test_a_link_to_elsewhere_is_seen_however_it_is_written(link):
    assert "foreign_link" in GUARD.broken_rules(f"Mire {link} por favor")
    assert GUARD.broken_rules("Mire https://laespiga.example/menu o www.laespiga.example por favor") == ()


@pytest.mark.parametrize(
    "text", ["3.50", "Sr.Lopez", "10.30h", "p.m.", "a las 9.Luego", "e.g. pan", "menu.pdf", "hola@x"]
)
def test_what_only_has_a_full_stop_is_no_link(text):
    assert hosts_in(f"Son {text} y nada más") == set()


def test_people_and_prices_of_this_conversation_may_be_said_again():
    assert GUARD.broken_rules("La llamamos al 11 98765-0001 y escribimos a ANA.SOUZA@correio.example") == ()
    other = AnswerGuard(replace(FACTS, said="hola"))
    assert other.broken_rules("Escribimos a ana.souza@correio.example") == ("personal_data",)
    own = AnswerGuard(replace(FACTS, own="El envío sale $ 777 y lo lleva https://mensajeria.test"))
    assert own.broken_rules("El envío sale $ 777, ver mensajeria.test/ya") == ()
    assert GUARD.broken_rules("El envío sale $ 777") == ("invented_price",)


@pytest.mark.parametrize(
    ("number", "value"),
    [("1.234,50", 1234.5), ("1,234.50", 1234.5), ("1234.5", 1234.5), ("12.000", 12000), ("2,5", 2.5)],
)
def test_an_amount_is_the_same_in_every_form(number, value):
    assert value_of(number) == value
    assert prices_in(f"r$ {number}") == prices_in(f"{number} pesos") == {value}
    assert prices_in(f"a las {number}") == set()


def test_an_order_is_a_sum_of_a_few_known_prices():
    known = {100.0, 30.0, 7.5}
    assert all(map(Prices(known).come_to, (100, 300, 130, 137.5, 222.5, 7.5 * 12)))
    assert not any(map(Prices(known).come_to, (1, 99, 101, 33.3)))
    assert not Prices(set()).come_to(5)


@given(st.text(st.characters(), max_size=400), st.lists(st.text(max_size=50), max_size=6))
def test_no_text_makes_it_fail(answer, earlier):
    assert set(GUARD.broken_rules(answer, earlier)) <= {*RULES}


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200))
def test_no_facts_make_it_fail(instructions, known, said):
    guard = AnswerGuard(Facts(CANARY, instructions, known, "", said))
    assert "canary" in guard.broken_rules(f"x {CANARY} y")


def test_a_canary_that_would_not_be_looked_for_is_refused():
    with pytest.raises(ValueError, match="canary"):
        AnswerGuard(replace(FACTS, canary="9f3ac07d5be18264"))
    assert AnswerGuard(replace(FACTS, canary=CANARY[::-1])).broken_rules(f"Ref. {CANARY[:16]}") == ("canary",)


def test_nothing_that_an_answer_begins_with_hides_what_comes_after():
    for cover in ("\ufdfa" * 600, "\ufdfa" * 8192, "hola " * 2000):
        assert set(GUARD.broken_rules(f"{cover}{CANARY}")) & {"canary", "too_long"}
    assert GUARD.broken_rules("hola " * 1600) == ()


def test_a_number_that_no_float_holds_and_an_entity_that_is_none_get_a_verdict():
    assert GUARD.broken_rules("Cuesta $ " + "9" * 400) == ("invented_price",)
    assert GUARD.broken_rules("Mire &#" + "9" * 5000 + "; y evil.com") == ("foreign_link",)


def test_a_secret_is_one_however_short():
    assert GUARD.broken_rules("La clave es sb_secret_abc") == ("secret",)
    assert GUARD.broken_rules("La clave es secreta") == ()


def test_a_document_with_few_digits_is_one():
    assert GUARD.broken_rules("Su RFC es VECJ880326XXX") == ("personal_data",)
    own = AnswerGuard(replace(FACTS, said="mi RFC es VECJ880326XXX"))
    assert own.broken_rules("Su RFC es VECJ880326XXX") == ()


def test_a_date_is_no_address_and_an_address_that_runs_is_never_the_businesss():
    assert GUARD.broken_rules("Data:12/05 às 8h") == ()
    own = AnswerGuard(replace(FACTS, known=f"{FACTS.known} javascript:pedir()"))
    assert own.broken_rules("Pulse javascript:pedir()") == ("foreign_link",)


@pytest.mark.parametrize(
    ("kind", "phrase"),
    [(kind, " ".join(part.split())) for kind, all_ in amounts._PROMISES.items() for part in all_.split("|")],
)
def test_each_promise_is_found_by_its_own_words_on_one_line_and_on_two(kind, phrase):
    """Phrases are looked for only where a stem of their kind stands: a phrase without one would never be found."""
    said = f"hola, {phrase} y listo"
    assert kind in promises_in(said)
    assert kind in promises_in(said.replace(" ", "\n"))
    assert kind not in promises_in("hola, a las tres y listo")
