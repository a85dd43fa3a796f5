"""An answer is as long as its channel takes it."""

import pytest

from shared.messaging.channels import fitted

SENTENCE = "El pedido está listo mañana a las nueve. "


@pytest.mark.parametrize(
    ("channel", "measure", "longest"),
    [
        ("whatsapp", len, 4096),
        ("messenger", len, 2000),
        ("instagram", lambda text: len(text.encode()), 1000),
    ],
)
def test_a_text_is_cut_after_a_sentence_a_word_or_anywhere(channel, measure, longest):
    for text, ending in ((SENTENCE * 200, "nueve."), ("ñandú " * 2000, "ñandú…"), ("ñ" * 9000, "ñ…")):
        cut = fitted(text, channel)
        assert measure(cut) <= longest
        assert measure(cut) > longest * 0.9
        assert cut.endswith(ending)
        assert text.startswith(cut.removesuffix("…"))


@pytest.mark.parametrize("channel", ["whatsapp", "messenger", "instagram"])
def test_what_fits_stays_as_it_is(channel):
    assert fitted("Abrimos a las 9.", channel) == "Abrimos a las 9."
