"""The mutants of `make prove` fit the code of today, so that the proof cannot go stale unseen."""

import pytest

from local.plan import PROJECT
from scripts.guard_mutants import MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_code(mutant):
    assert mutant.old != mutant.new
    mutant.check(PROJECT)


def test_no_mutant_is_counted_twice():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert len({(mutant.path, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)
