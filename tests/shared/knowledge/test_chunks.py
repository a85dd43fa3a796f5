import itertools

from hypothesis import given
from hypothesis import strategies as st

from shared.knowledge.chunks import MAXIMUM_CHARACTERS, OVERLAP, cut


def test_paragraphs_are_passages_and_a_heading_stays_with_its_paragraph():
    text = "# Horario\n\nAbrimos de lunes a viernes de 9 a 18.\n\nLos sábados, de 10 a 14.\n"
    assert cut(text) == ["# Horario\nAbrimos de lunes a viernes de 9 a 18.", "Los sábados, de 10 a 14."]


def test_a_long_paragraph_is_cut_at_sentence_ends():
    pieces = cut("Uno dos tres cuatro cinco. " * 100)
    assert len(pieces) > 1
    assert all(piece.endswith("cinco.") for piece in pieces)


@given(st.text())
def test_passages_are_bounded_and_lose_nothing_but_white_space(text):
    pieces = cut(text)
    assert all(0 < len(piece) <= MAXIMUM_CHARACTERS for piece in pieces)
    rest = "".join(text.split())
    for piece in pieces:
        letters = "".join(piece.split())
        new = next(place for place in range(len(letters) + 1) if rest.startswith(letters[place:]))
        assert new <= OVERLAP
        rest = rest[len(letters) - new :]
    assert rest == ""


def test_what_is_cut_overlaps_by_a_sentence():
    sentences = [f"La frase número {number} dice algo distinto de las otras." for number in range(60)]
    pieces = cut(" ".join(sentences))
    assert len(pieces) > 3
    for before, after in itertools.pairwise(pieces):
        last = sentences[max(place for place, sentence in enumerate(sentences) if sentence in before)]
        assert after.startswith(last)
