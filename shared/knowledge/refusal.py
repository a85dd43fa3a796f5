"""Why a file is not taken, by name: the owner sees it, docs/operations.md says what to do."""

from typing import Literal, get_args

Reason = Literal[
    "archive_bomb", "encrypted", "given_up", "hidden_text", "kind_differs", "macros", "missing", "no_text", "polyglot",
    "scanned_text", "too_big", "too_long", "too_slow", "unreadable",
]  # fmt: skip
REASONS: frozenset[str] = frozenset(get_args(Reason))


class RefusedFileError(Exception):
    """A file that is not taken. `reason` is the whole of it: nothing of the file is told."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
