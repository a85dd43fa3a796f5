"""The query string of PostgREST as SQL: select, filters, order, limit.

Follows https://docs.postgrest.org/en/stable/references/api/tables_views.html for the part that is here; for the rest
(embedding, aggregates, JSON paths, casts, full text, ...) it raises the 501 that names the thing.
Values become SQL literals quoted by libpq, names are checked against the columns that exist.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from psycopg import sql

from local.supabase.errors import RestError, not_here

MAX_ROWS = 1000  # what a hosted project answers at most
TARGET = "target"
COMPARISONS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
PATTERNS = {"like": "like", "ilike": "ilike"}
TRUTHS = {"null", "not_null", "true", "false", "unknown"}
ELSEWHERE = {"match", "imatch", "isdistinct", "fts", "plfts", "phfts", "wfts", "cs", "cd", "ov"}
ELSEWHERE |= {"sl", "sr", "nxr", "nxl", "adj"}
RESERVED = {"select", "order", "limit", "offset", "columns", "on_conflict", "apikey"}
LOGIC = {"or", "and", "not.or", "not.and"}


@dataclass(frozen=True)
class Query:
    """What a request asks of one relation, which the SQL calls `target`."""

    columns: sql.Composable
    condition: sql.Composable | None
    order: sql.Composable
    limit: int | None
    offset: int

    @property
    def where(self) -> sql.Composable:
        """The WHERE clause, or nothing."""
        return sql.SQL("") if self.condition is None else sql.SQL(" where {}").format(self.condition)


def parse_query(
    parameters: Iterable[tuple[str, str]], relation: str, columns: Collection[str], range_header: str | None = None
) -> Query:
    """Read the query string for a relation with these columns. Raises RestError (400 or 501)."""
    known = _Columns(relation, columns)
    conditions: list[sql.Composable] = []
    settings: dict[str, str] = {}
    for name, value in parameters:
        if name in RESERVED:
            settings[name] = value
        elif name in LOGIC:
            conditions.append(_logic(f"{name}{value}", known))
        else:
            conditions.append(_filter(name, value, known, quoted=False))
    limit, offset = _page(settings, range_header)
    return Query(
        columns=_select(settings.get("select", "*"), known),
        condition=sql.SQL(" and ").join(conditions) if conditions else None,
        order=_order(settings.get("order", ""), known),
        limit=limit,
        offset=offset,
    )


def split_list(text: str) -> list[str]:
    """Split at the commas that are outside of quotes and parentheses. Quotes stay."""
    parts, current, depth, quoted, escaped = [], "", 0, False, False
    for character in text:
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif not quoted:
            depth += {"(": 1, ")": -1}.get(character, 0)
            if character == "," and depth == 0:
                parts.append(current)
                current = ""
                continue
        current += character
    return [*parts, current] if text else []


def unquote(text: str) -> str:
    """The text inside double quotes, or the text itself when it has none."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


class _Columns:
    def __init__(self, relation: str, names: Collection[str]) -> None:
        self.relation = relation
        self.names = names

    def identifier(self, name: str) -> sql.Composable:
        plain = unquote(name.strip())
        if plain in self.names:
            return sql.Identifier(TARGET, plain)
        if "->" in plain:
            raise not_here(f"JSON paths ({plain})")
        if "." in plain:
            raise not_here(f"filters and orders on embedded resources ({plain})")
        raise RestError(400, "42703", f"column {self.relation}.{plain} does not exist")


def _select(text: str, known: _Columns) -> sql.Composable:
    chosen: list[sql.Composable] = []
    for item in split_list(text) or ["*"]:
        name = item.strip()
        if name == "*":
            chosen.append(sql.SQL("{}.*").format(sql.Identifier(TARGET)))
        elif re.search(r"(^|\.)(count|sum|avg|min|max)\(\)", name):
            raise not_here(f"aggregate functions ({name})")
        elif "(" in name:
            raise not_here(f"resource embedding ({name})")
        elif unquote(name) not in known.names and ":" in name:
            raise not_here(f"aliases and casts ({name})")
        else:
            chosen.append(known.identifier(name))
    return sql.SQL(", ").join(chosen)


def _filter(column: str, text: str, known: _Columns, quoted: bool) -> sql.Composable:
    """One `operator.value` of a column. Inside and/or lists (`quoted`) a value may stand in double quotes."""
    negated = text.startswith("not.")
    operator, dot, value = text.removeprefix("not.").partition(".")
    name = known.identifier(column)
    if operator.partition("(")[0] in ELSEWHERE or operator.endswith((")", "any", "all")):
        raise not_here(f"the filter operator {operator}")
    if not dot or operator not in {*COMPARISONS, *PATTERNS, "in", "is"}:
        raise RestError(400, "PGRST100", f'"failed to parse filter ({text})" (line 1, column 1)', "unknown operator")
    if operator == "in":
        condition = _membership(name, value, text)
    elif operator == "is":
        condition = _truth(name, value, text)
    else:
        plain = unquote(value) if quoted else value
        sign = COMPARISONS.get(operator) or PATTERNS[operator]
        if operator in PATTERNS:
            plain = plain.replace("*", "%")
        condition = sql.SQL("{} " + sign + " {}").format(name, sql.Literal(plain))
    return sql.SQL("not ({})").format(condition) if negated else condition


def _membership(name: sql.Composable, value: str, text: str) -> sql.Composable:
    if not (value.startswith("(") and value.endswith(")")):
        raise RestError(400, "PGRST100", f'"failed to parse filter ({text})" (line 1, column 4)', 'expecting "("')
    members = [sql.Literal(unquote(item)) for item in split_list(value[1:-1])]
    if not members:
        return sql.SQL("false")
    return sql.SQL("{} in ({})").format(name, sql.SQL(", ").join(members))


def _truth(name: sql.Composable, value: str, text: str) -> sql.Composable:
    if value.lower() not in TRUTHS:
        expecting = "null, not_null, true, false or unknown"
        raise RestError(
            400, "PGRST100", f'"failed to parse filter ({text})" (line 1, column 4)', f"expecting {expecting}"
        )
    return sql.SQL("{} is {}").format(name, sql.SQL(value.lower().replace("_", " ")))


def _logic(text: str, known: _Columns) -> sql.Composable:
    """`or(a.eq.1,not.and(b.gt.2,c.is.null))`, or one filter `a.eq.1`."""
    tree = re.fullmatch(r"(not\.)?(and|or)\((.*)\)", text, re.DOTALL)
    if tree is None:
        column, dot, rest = _leading_column(text)
        if not dot:
            raise RestError(400, "PGRST100", f'"failed to parse logic tree ({text})" (line 1, column 1)')
        return _filter(column, rest, known, quoted=True)
    members = [_logic(item.strip(), known) for item in split_list(tree[3])]
    if not members:
        raise RestError(400, "PGRST100", f'"failed to parse logic tree ({text})" (line 1, column 4)')
    joined = sql.SQL(" or " if tree[2] == "or" else " and ").join(members)
    return (sql.SQL("not ({})") if tree[1] else sql.SQL("({})")).format(joined)


def _leading_column(text: str) -> tuple[str, str, str]:
    quoted = re.match(r'"(?:[^"\\]|\\.)*"', text)
    if quoted is None:
        return text.partition(".")
    return quoted[0], text[quoted.end() : quoted.end() + 1], text[quoted.end() + 1 :]


def _order(text: str, known: _Columns) -> sql.Composable:
    words = {"asc": "asc", "desc": "desc", "nullsfirst": "nulls first", "nullslast": "nulls last"}
    terms: list[sql.Composable] = []
    for item in split_list(text):
        column, _, rest = _leading_column(item.strip())
        modifiers = rest.split(".") if rest else []
        if any(modifier not in words for modifier in modifiers):
            raise RestError(400, "PGRST100", f'"failed to parse order ({text})" (line 1, column 1)')
        term = [known.identifier(column), *(sql.SQL(words[modifier]) for modifier in modifiers)]
        terms.append(sql.SQL(" ").join(term))
    return sql.SQL(" order by {}").format(sql.SQL(", ").join(terms)) if terms else sql.SQL("")


def _page(settings: dict[str, str], range_header: str | None) -> tuple[int | None, int]:
    """(limit or None, offset) from the parameters and the Range header; both narrow."""
    try:
        limit = int(settings["limit"]) if "limit" in settings else None
        offset = int(settings.get("offset", 0))
    except ValueError:
        raise RestError(400, "PGRST100", "limit and offset are whole numbers") from None
    asked = re.fullmatch(r"(\d+)-(\d*)", range_header or "")
    if asked is not None and limit is None and offset == 0:
        offset = int(asked[1])
        limit = int(asked[2]) - offset + 1 if asked[2] else None
    if offset < 0 or (limit is not None and limit < 0):
        raise RestError(416, "PGRST103", "Requested range not satisfiable")
    return limit, offset
