"""A function's name, and the names that follow from it."""

import re
from typing import NamedTuple

PREFIXES = ("webhook", "queue", "cron", "ai", "app", "public")
# The secrets that a signature scheme's guard needs. The longest first; a new one begins in shared/guard/schemes.py.
SCHEMES = {
    "meta_signed_request": "META_APP_SECRET",
    "meta": "META_APP_SECRET",
    "mercadopago": "MERCADOPAGO_WEBHOOK_SECRET",
    "paddle": "PADDLE_WEBHOOK_SECRET",
}
LONGEST = 40  # Lambda takes 64 characters, of which service, stage and role need some.


class BadName(ValueError):
    """The name cannot be a function's; the text is one sentence that says what can."""


class Name(NamedTuple):
    """<prefix>_<subject>, for example app_invoice."""

    prefix: str
    subject: str

    def __str__(self) -> str:
        return f"{self.prefix}_{self.subject}"

    @property
    def path(self) -> str:
        """Of its route."""
        return f"/{self.prefix}/{self.subject.replace('_', '-')}"

    @property
    def logical(self) -> str:
        """Its name in CloudFormation, as osls makes it."""
        return str(self).replace("_", "Underscore").capitalize().replace("underscore", "Underscore")

    @property
    def title(self) -> str:
        """Its name in our own resources: AppInvoice."""
        return _title(str(self))

    @property
    def queue(self) -> str:
        """The logical name of the queue that feeds it, without Queue at the end."""
        return _title(self.subject)

    @property
    def scheme(self) -> str:
        """A webhook's signature scheme: the longest that its subject begins with. Raises BadName."""
        for scheme in SCHEMES:
            if f"{self.subject}_".startswith(f"{scheme}_"):
                return scheme
        raise BadName(
            f"The subject of a webhook begins with its signature scheme ({', '.join(SCHEMES)}): for a new provider "
            f"write the verifier in shared/guard/verify/ and its branch in shared/guard/schemes.py first."
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """What its guard needs, before it does anything."""
        match self.prefix:
            case "webhook":
                return (SCHEMES[self.scheme],)
            case "queue":
                return ("QUEUE_KEY",)
            case "cron":
                return ("CRON_SECRET",)
            case "ai" | "app":
                return ("UPSTASH_REDIS_REST_TOKEN",)  # for the rate
        return ()


def read_name(text: str) -> Name:
    """The name in a text. Raises BadName."""
    prefix, _, subject = text.partition("_")
    if prefix == "internal":
        raise BadName(
            "An internal function has a caller that changes with it: write it by hand (docs/adding-a-function.md)."
        )
    if prefix not in PREFIXES:
        raise BadName(f"{text!r} begins with no trigger: name it <trigger>_<subject>, with {', '.join(PREFIXES)}.")
    if re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", subject) is None:
        raise BadName(f"{text!r}: the subject is lowercase words joined by _, for example {prefix}_invoice.")
    if len(text) > LONGEST:
        raise BadName(f"{text!r} is longer than {LONGEST} characters, which AWS cannot make a role's name of.")
    name = Name(prefix, subject)
    if prefix == "webhook":
        _ = name.scheme
    return name


def _title(text: str) -> str:
    return "".join(part.capitalize() for part in text.split("_"))
