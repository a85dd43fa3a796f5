"""One shape for everything that goes wrong (RFC 9457 problem details).

The `name` of a refusal or failure is for logs, tests and tables; the caller gets the same short answer for every
cause of one status.
"""

TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Content too large",
    415: "Unsupported media type",
    422: "Unprocessable content",
    429: "Too many requests",
    431: "Request header fields too large",
    500: "Internal server error",
    501: "Not implemented",
    502: "Bad gateway",
    503: "Service unavailable",
}


# draft-ietf-httpapi-ratelimit-headers-11, 5: types for who has used up what there was.
TYPES = "https://iana.org/assignments/http-problem-types#"


class Problem(Exception):
    """Ends a request with a status. `detail` is for the caller and must not tell the cause of a refused check.

    `type_name` is one of the registered problem types, `violated` the names of the limits that said no.
    """

    type_name = ""
    violated: tuple[str, ...] = ()

    def __init__(self, name: str, status: int, detail: str = "", retry_after: int | None = None) -> None:
        super().__init__(name)
        self.name = name
        self.status = status
        self.detail = detail
        self.retry_after = retry_after

    def body(self) -> dict[str, object]:
        """The problem document as a JSON object."""
        kind = f"{TYPES}{self.type_name}" if self.type_name else "about:blank"
        document: dict[str, object] = {"type": kind, "title": TITLES[self.status], "status": self.status}
        if self.detail:
            document["detail"] = self.detail
        if self.violated:
            document["violated-policies"] = list(self.violated)
        return document


class Refused(Problem):
    """A guard said no."""


class RateExceeded(Refused):
    """Too many calls: `retry_after` whole seconds until the next one is free."""

    type_name = "quota-exceeded"

    def __init__(self, retry_after: int, violated: tuple[str, ...] = ("calls",)) -> None:
        super().__init__("rate", 429, retry_after=retry_after)
        self.violated = violated


class NotBuilt(Problem):
    """The door and its guard are there, the business behind it is not. tests/output/not_built.txt lists them all."""

    def __init__(self) -> None:
        super().__init__("not_built", 501, "This is planned and not built yet.")


class Unavailable(Problem):
    """Something that this request needs is away; nothing was done, and the caller may come back."""

    def __init__(self, name: str, retry_after: int = 5) -> None:
        super().__init__(name, 503, retry_after=retry_after)
