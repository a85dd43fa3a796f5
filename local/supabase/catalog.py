"""What the database has: relations and functions of the exposed schema, read fresh for each request."""

from dataclasses import dataclass

import psycopg

from local.supabase.errors import RestError, not_here

SCHEMA = "public"

RELATION = """
select array(select attname::text from pg_attribute where attrelid = relation.oid and attnum > 0 and not attisdropped),
       array(select attname::text from pg_index join pg_attribute on attrelid = indrelid and attnum = any(indkey)
             where indrelid = relation.oid and indisprimary)
from pg_class relation
where relnamespace = 'public'::regnamespace and relname = %s and relkind in ('r', 'p', 'v', 'm', 'f')
"""

FUNCTIONS = """
select coalesce(proargnames, '{}')::text[],
       coalesce(proargmodes::text[], array_fill('i'::text, array[pronargs])),
       array(select format_type(argument, null)
             from unnest(coalesce(proallargtypes, proargtypes::oid[])) with ordinality as arguments(argument, place)
             order by place),
       pronargdefaults, proretset, provolatile::text, prorettype = 'void'::regtype, result.typtype = 'c',
       array(select attname::text from pg_attribute
             where attrelid = result.typrelid and attnum > 0 and not attisdropped)
from pg_proc join pg_type result on result.oid = prorettype
where pronamespace = 'public'::regnamespace and proname = %s and prokind = 'f' and prorettype <> 'trigger'::regtype
"""


@dataclass(frozen=True)
class Relation:
    """A table or view of the exposed schema."""

    name: str
    columns: tuple[str, ...]
    primary_key: tuple[str, ...]


@dataclass(frozen=True)
class Function:
    """One overload. `arguments` maps input names to SQL types; the first ones, without default, are `required`.

    `columns` are those of a composite result, None for a scalar.
    """

    name: str
    arguments: dict[str, str]
    required: frozenset[str]
    returns_set: bool
    volatile: bool
    void: bool
    columns: tuple[str, ...] | None


async def find_relation(connection: psycopg.AsyncConnection, name: str) -> Relation:
    """The relation of that name. Raises RestError PGRST205."""
    row = await (await connection.execute(RELATION, [name])).fetchone()
    if row is None:
        raise RestError(404, "PGRST205", f"Could not find the table '{SCHEMA}.{name}' in the schema cache")
    return Relation(name, tuple(row[0]), tuple(row[1]))


async def find_function(connection: psycopg.AsyncConnection, name: str, given: frozenset[str]) -> Function:
    """The overload that takes exactly the `given` argument names (defaults may be left out).

    Raises RestError: PGRST202 for none, PGRST203 for several, 501 for unnamed and variadic arguments.
    """
    rows = await (await connection.execute(FUNCTIONS, [name])).fetchall()
    overloads = [_function(name, *row) for row in rows]
    fitting = [one for one in overloads if one.required <= given <= one.arguments.keys()]
    if not fitting:
        signature = f"{SCHEMA}.{name}({', '.join(sorted(given))})" if given else f"{SCHEMA}.{name} without parameters"
        raise RestError(
            404,
            "PGRST202",
            f"Could not find the function {signature} in the schema cache",
            f"Searched for the function {signature}, but no matches were found in the schema cache.",
        )
    if len(fitting) > 1:
        choices = ", ".join(f"{SCHEMA}.{name}({', '.join(map(' => '.join, one.arguments.items()))})" for one in fitting)
        raise RestError(
            300,
            "PGRST203",
            f"Could not choose the best candidate function between: {choices}",
            None,
            "Rename the parameters or the function in the database, so that the overload can be resolved",
        )
    return fitting[0]


def _function(
    name: str,
    names: list[str],
    modes: list[str],
    types: list[str],
    defaults: int,
    returns_set: bool,
    volatility: str,
    void: bool,
    composite: bool,
    attributes: list[str],
) -> Function:
    inputs = [place for place, mode in enumerate(modes) if mode in "ibv"]
    if "v" in modes:
        raise not_here(f"functions with variadic arguments ({name})")
    if any(place >= len(names) or not names[place] for place in inputs):
        raise not_here(f"functions with unnamed arguments ({name})")
    outputs = [names[place] for place, mode in enumerate(modes) if mode in "obt"]
    arguments = {names[place]: types[place] for place in inputs}
    required = list(arguments)[: len(arguments) - defaults]
    columns = tuple(attributes) if composite and attributes else tuple(outputs) or None
    return Function(name, arguments, frozenset(required), returns_set, volatility == "v", void, columns)
