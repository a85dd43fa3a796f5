"""Types for the fields of the console's bodies, so that what the database could not hold is refused by its name."""

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from shared.data.storable import require_moment

# A moment of the years 2010 to 2099, in UTC. tests/functions/test_bad_input.py lets no other date into a body.
Moment = Annotated[
    datetime,
    BeforeValidator(require_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 40}),
]
