"""The committed page of evasions is the table, and the audit sees every row of it."""

from collections import Counter

import pytest

from scripts.audit.findings import RULES
from scripts.evasions import EVASIONS
from scripts.evasions.evasion import SEND, Evasion
from scripts.prove_audit import Unfit, is_current, prove

# The issue that began the table asked for so many: 47 known ones and 63 of our own.
MIN_EVASIONS = 110


def test_page_lists_the_evasions_of_the_table():
    assert is_current(), "run scripts/prove_audit.py --write"


def test_table_has_unique_names_and_known_rules():
    assert len(EVASIONS) >= MIN_EVASIONS
    assert [name for name, count in Counter(evasion.name for evasion in EVASIONS).items() if count > 1] == []
    assert {evasion.rule for evasion in EVASIONS} <= RULES.keys()


def test_every_twelfth_evasion_is_planted_and_seen():
    """`make prove-audit` plants all of them."""
    sample = EVASIONS[5::12]
    seen = prove(sample)
    assert [evasion.name for evasion in sample if evasion.rule not in seen[evasion.name]] == []


def test_evasion_that_changes_nothing_is_unseen_and_one_that_fits_nothing_is_an_error():
    harmless = Evasion("a comment", "dynamic-code", SEND, "\n# Nothing.\n")
    assert prove([harmless]) == {"a comment": set()}
    with pytest.raises(Unfit, match="its text is not in"):
        prove([Evasion("a text that is not there", "dynamic-code", SEND, "x", "no such text")])
