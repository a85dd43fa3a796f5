def test_rows_without_columns_are_rows(world):
    """Many tests ask whether a table is empty in this way."""
    assert world.rows("select from tenants") == [{}]
    assert world.rows("select from messages") == []
    assert world.rows("select from tenants where false") == []
    assert world.rows("update tenants set name = name") == []
