"""The benches' own arithmetic: ranks, tables, sections of the page."""

from bench.peers.report import Table, with_section
from bench.peers.subjects import percentile


def test_a_percentile_is_one_of_the_values_by_nearest_rank():
    assert percentile([5.0], 0.99) == 5.0
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile(range(1, 101), 0.5) == 50
    assert percentile([3, 1, 2], 1.0) == 3


def test_a_table_says_whether_ours_keeps_the_bar():
    table = Table("Title", ["floor", "ours"])
    table.row("fast", ["1", "2"], "<= 3", True)
    table.row("slow", ["1", "20"], "<= 3", False)
    table.row("free", ["1", "2"])
    assert table.text().splitlines() == [
        "Title",
        "      floor  ours  bar for ours",
        "fast      1     2  <= 3 met",
        "slow      1    20  <= 3 MISSED",
        "free      1     2",
    ]
    assert "| slow | 1 | 20 | <= 3 MISSED |" in table.markdown()


def test_a_section_of_the_page_is_replaced_and_its_neighbours_stay():
    page = with_section(with_section("# Page\n", "One", "old"), "Two", "two")
    assert page == "# Page\n\n## One\n\nold\n\n## Two\n\ntwo\n"
    assert with_section(page, "One", "new") == "# Page\n\n## One\n\nnew\n\n## Two\n\ntwo\n"
    assert with_section(page, "Two", "new") == "# Page\n\n## One\n\nold\n\n## Two\n\nnew\n"
