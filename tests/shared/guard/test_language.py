import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.guard.language import LANGUAGES, OTHERWISE, preferred


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("es", "es"),
        ("ES-419", "es"),
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt"),
        ("fr-FR,fr;q=0.9,en;q=0.8,es;q=0.7", "en"),
        ("en;q=0.4, es ; q=0.5", "es"),
        ("pt,es", "pt"),
        ("es;q=0,pt;q=0.001", "pt"),
        ("es;q=1.000", "es"),
        ("es;q=2", OTHERWISE),
        ("est", OTHERWISE),
        ("*", OTHERWISE),
        ("", OTHERWISE),
        (",;q=,es", "es"),
    ],
)
def test_the_highest_weight_wins(header, language):
    assert preferred(header) == language


@given(st.text(alphabet=st.characters()))
def test_any_header_gives_one_of_ours(header):
    assert preferred(header) in LANGUAGES
