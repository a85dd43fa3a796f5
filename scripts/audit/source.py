"""Python files as syntax trees, each content parsed and walked once: an audit looks at a file from many sides."""

import ast
from functools import lru_cache

# Files. More than the project has, so that a second audit of almost the same files parses only what is new.
_REMEMBERED = 1024


@lru_cache(_REMEMBERED)
def parse(content: bytes) -> ast.Module:
    """Parse a file. The tree is shared: do not change it. Raises what ast.parse raises."""
    return ast.parse(content)


@lru_cache(32 * _REMEMBERED)
def nodes(tree: ast.AST) -> tuple[ast.AST, ...]:
    """Return the nodes of ast.walk."""
    return tuple(ast.walk(tree))
