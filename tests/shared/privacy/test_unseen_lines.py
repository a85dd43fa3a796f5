"""The numbers that masking promises, on a sample of the lines that `make bench-privacy` reports on."""

import pytest

from bench.privacy.evaluation import Score, evaluate
from bench.privacy.lines import core, leaks, lines
from bench.privacy.objects import ObjectScore, evaluate_objects, objects
from shared.privacy import scrub
from tests.shared.privacy.unseen import TEMPLATES

SEED, EACH = 7_311_926, 6


@pytest.fixture(scope="module")
def score() -> Score:
    return evaluate(scrub, list(lines(TEMPLATES, SEED, EACH)), repeats=2)


@pytest.fixture(scope="module")
def object_score() -> ObjectScore:
    return evaluate_objects(scrub, list(objects(SEED, EACH)))


def test_personal_data_and_secrets_are_found(score):
    assert score.recall("ordinary", "pii") >= 99.5
    assert score.recall("ordinary", "secret") >= 99.5
    assert score.recall("hard") >= 90


def test_fields_to_keep_are_kept(score):
    for group in ("negative", "ordinary", "hard"):
        assert score.lost(group) <= 1


def test_a_second_pass_changes_nothing_and_nothing_is_raised(score):
    assert (score.unstable, score.failed) == (0, 0)


def test_objects_are_searched(object_score):
    assert object_score.recall >= 97
    assert object_score.lost <= 1
    assert object_score.failed == 0


def test_what_does_nothing_finds_nothing():
    """The measure itself: a value that stands there unmasked, in any encoding, counts as leaked."""
    idle = evaluate(lambda text: text, list(lines(TEMPLATES, SEED, EACH)), repeats=1)
    assert idle.recall("ordinary") == 0
    assert idle.recall("hard") < 2
    assert idle.lost("negative") == 0
    assert core("phone +", "+54 9 11 5555-0101") == "5491155550101"
    assert leaks("phone +", "+54 9 11 5555-0101", "to 54 9 11 5555")
