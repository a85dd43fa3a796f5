"""Which messages say no more than stop, or start again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.wishes import wish_of


@pytest.mark.parametrize(
    ("said", "wish", "customer"),
    [
        ("BAJA", "out", "quiero dar de baja mi pedido"),
        ("¡Stop!", "out", "stop the delivery please, I moved"),
        ("Sair.", "out", "posso sair com o produto hoje?"),
        ("no me escriban más, por favor", "out", "no me escriban más tarde de las 8"),
        ("Não quero mais receber mensagens", "out", "não quero mais o produto"),
        ("unsubscribe please", "out", "how do I unsubscribe from the premium plan?"),
        ("PARAR", "out", "onde posso parar o carro?"),
        ("ALTA", "in", "¿la silla alta cuánto sale?"),
        ("voltar", "in", "vou voltar amanhã"),
        ("start", "in", "when does the class start?"),
    ],
)
def test_the_whole_message_must_say_it(said, wish, customer):
    assert (wish_of(said), wish_of(customer)) == (wish, None)


@given(st.text(max_size=200))
def test_no_text_makes_it_fail(text):
    assert wish_of(text) in ("out", "in", None)
    assert wish_of(f"{text} pero quiero dos panes") is None
