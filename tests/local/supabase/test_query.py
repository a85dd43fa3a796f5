"""The query grammar where a mistake would be an injection or a wrong row."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.supabase.errors import RestError
from local.supabase.query import parse_query, split_list, unquote

COLUMNS = ("id", "note", 'odd "name"')


def condition_of(*parameters: tuple[str, str]) -> str:
    condition = parse_query(parameters, "t", COLUMNS).condition
    assert condition is not None
    return condition.as_string(None)


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (("id", "eq.1"), """"target"."id" = '1'"""),
        (("id", "not.eq.1"), """not ("target"."id" = '1')"""),
        (("note", "eq.it's; drop table t --"), """"target"."note" = 'it''s; drop table t --'"""),
        (("note", "like.a*"), """"target"."note" like 'a%'"""),
        (("note", 'in.(a,"b,c","d\\"e")'), """"target"."note" in ('a', 'b,c', 'd"e')"""),
        (("id", "in.()"), "false"),
        (("note", "is.not_null"), """"target"."note" is not null"""),
        (
            ("or", "(id.eq.1,and(note.eq.a,id.gt.2))"),
            """("target"."id" = '1' or ("target"."note" = 'a' and "target"."id" > '2'))""",
        ),
        (("not.and", '(note.eq."x,y",id.is.null)'), """not ("target"."note" = 'x,y' and "target"."id" is null)"""),
        (('"odd \\"name\\""', "eq.1"), '"target"."odd ""name""" = \'1\''),
    ],
)
def test_conditions(parameter: tuple[str, str], expected: str) -> None:
    assert condition_of(parameter) == expected


@pytest.mark.parametrize(
    ("parameter", "status"),
    [
        (('id" = 1 or "id', "eq.1"), 400),
        (("id", "eq"), 400),
        (("id", "=.1"), 400),
        (("id", "is.null or true"), 400),
        (("id", "in.1,2"), 400),
        (("or", "()"), 400),
        (("or", "(id)"), 400),
        (("order", "id.desc; drop table t"), 400),
        (("order", "id.down"), 400),
        (("limit", "ten"), 400),
        (("limit", "-1"), 416),
        (("select", "id,other(*)"), 501),
        (("select", "max:id"), 501),
        (("other.id", "eq.1"), 501),
        (("id", "fts(simple).x"), 501),
    ],
)
def test_refusals(parameter: tuple[str, str], status: int) -> None:
    with pytest.raises(RestError) as caught:
        parse_query([parameter], "t", COLUMNS)
    assert caught.value.status == status


@given(st.lists(st.text(min_size=1), min_size=1))
def test_quoted_lists_come_back(items: list[str]) -> None:
    escaped = [item.replace("\\", "\\\\").replace('"', '\\"') for item in items]
    assert [unquote(part) for part in split_list(",".join(f'"{item}"' for item in escaped))] == items


@given(st.text(), st.text())
def test_any_text_is_parsed_or_refused(name: str, value: str) -> None:
    with contextlib.suppress(RestError):  # both outcomes are right; anything else is a crash
        parse_query([(name, value)], "t", COLUMNS)
