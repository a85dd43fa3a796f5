"""Types for the fields of the console's bodies, so that what the database could not hold is refused by its name."""

import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from shared.data.storable import require_moment

_DAY = re.compile(r"20[1-9][0-9]-[0-9]{2}-[0-9]{2}")


def _require_day(value: Any) -> Any:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("a day of the years 2010 to 2099, as YYYY-MM-DD")
    return value


# A day of the same years, in whatever zone the reader means.
Day = Annotated[
    date, BeforeValidator(_require_day), WithJsonSchema({"type": "string", "format": "date", "maxLength": 10})
]

# A moment of the years 2010 to 2099, in UTC. tests/functions/test_bad_input.py lets no other date into a body.
Moment = Annotated[
    datetime,
    BeforeValidator(require_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 40}),
]
