"""The parties of the isolation tests, and how to tell whose a value is.

Every value of a party can be told from every other's by its text alone: ids begin with the party's letter eight times,
texts contain `canary-<letter>`, numbers begin with its digits. So what leaked is seen without asking any policy.
"""

import re
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True)
class Side:
    """A business with its people. `letter` is one of a to f."""

    letter: str
    tenant: UUID = field(init=False)
    owner: UUID = field(init=False)
    agent: UUID = field(init=False)
    # An owner who has set up a second factor.
    guarded: UUID = field(init=False)

    def __post_init__(self) -> None:
        for number, name in enumerate(("tenant", "owner", "agent", "guarded"), 1):
            object.__setattr__(self, name, self.id(number))

    def id(self, number: int) -> UUID:
        """The party's id of that number."""
        return UUID(f"{self.letter * 8}-0000-4000-8000-{number:012d}")

    def text(self, what: str) -> str:
        """A text of the party's own."""
        return f"canary-{self.letter} {what}"

    def digits(self, number: int) -> str:
        """A number of the party's own, 12 digits."""
        return f"77{ord(self.letter)}{number:07d}"

    @property
    def people(self) -> tuple[UUID, ...]:
        """Who belongs to the business."""
        return (self.owner, self.agent, self.guarded)

    @property
    def pattern(self) -> str:
        """A regular expression, for Python and PostgreSQL, that finds a value of this party in a text."""
        return f"{self.letter * 8}-0000-4000|canary-{self.letter}|77{ord(self.letter)}[0-9]{{7}}"

    def is_in(self, text: str) -> bool:
        """Whether the text holds a value of this party."""
        return re.search(self.pattern, text) is not None


VICTIM = Side("a")
ATTACKER = Side("b")
# A business that has people and nothing else: where a row would be in the way of an attack, here is none.
EMPTY = Side("c")
# An account that belongs to no business.
OUTSIDER = UUID("dddddddd-0000-4000-8000-000000000001")
# An id that nothing has.
ABSENT = Side("e")
