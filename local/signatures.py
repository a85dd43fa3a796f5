"""What AWS checks of a signed request and moto does not: Signature Version 4, in headers and in a URL.

Specifications: AWS General Reference, "Create a signed AWS API request"; Amazon S3 API Reference, "Authenticating
Requests: Using Query Parameters".
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote_plus

from werkzeug.wrappers import Request

# Every role of the offline world has this secret key, and the operator has it.
SECRET_KEY = "local"


def access_key_of(request: Request) -> str:
    """Return the access key that signed the request, by its header, its URL or its form; empty for none."""
    authorization = request.headers.get("authorization", "")
    if authorization:
        return authorization.partition("Credential=")[2].partition("/")[0]
    if request.mimetype == "multipart/form-data":
        return request.form.get("x-amz-credential", "").partition("/")[0]
    return dict(_query(request)).get("X-Amz-Credential", "").partition("/")[0]


def refusal(request: Request, body: bytes, now: datetime | None = None) -> str | None:
    """Return the code by which AWS would refuse the signature, or None. Forms: see local/forms.py.

    The time of a signed header is not compared with the clock, because tests move the clock of the functions.
    """
    now = now or datetime.now(UTC)
    authorization = request.headers.get("authorization", "")
    if authorization:
        return _header_refusal(request, authorization, body)
    if request.mimetype == "multipart/form-data":
        return None
    return _url_refusal(request, now)


def _header_refusal(request: Request, authorization: str, body: bytes) -> str | None:
    parts = dict(part.strip().partition("=")[::2] for part in authorization.partition(" ")[2].split(","))
    stamp = request.headers.get("x-amz-date", "")
    _, day, region, service, _ = parts["Credential"].split("/")
    digest = hashlib.sha256(body).hexdigest()
    if service == "s3" and request.headers.get("x-amz-content-sha256") != digest:
        return "XAmzContentSHA256Mismatch"
    path = _path(request)
    canonical = _canonical(
        request, path if service == "s3" else quote(path, safe="/-_.~"), _query(request), parts["SignedHeaders"], digest
    )
    expected = _signature(canonical, stamp, day, region, service)
    return None if hmac.compare_digest(expected, parts["Signature"]) else "SignatureDoesNotMatch"


def _url_refusal(request: Request, now: datetime) -> str | None:
    given = dict(_query(request))
    if not {"X-Amz-Date", "X-Amz-Expires", "X-Amz-Signature", "X-Amz-SignedHeaders"} <= given.keys():
        return "AccessDenied"
    stamp = given["X-Amz-Date"]
    if now > _time(stamp) + timedelta(seconds=int(given["X-Amz-Expires"])):
        return "AccessDenied"
    _, day, region, service, _ = given["X-Amz-Credential"].split("/")
    query = [(name, value) for name, value in _query(request) if name != "X-Amz-Signature"]
    canonical = _canonical(request, _path(request), query, given["X-Amz-SignedHeaders"], "UNSIGNED-PAYLOAD")
    expected = _signature(canonical, stamp, day, region, service)
    return None if hmac.compare_digest(expected, given["X-Amz-Signature"]) else "SignatureDoesNotMatch"


def _canonical(request: Request, path: str, query: list[tuple[str, str]], signed_headers: str, digest: str) -> str:
    names = signed_headers.split(";")
    pairs = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(query))
    headers = [f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in names]
    return "\n".join([request.method, path, pairs, *headers, "", signed_headers, digest])


def _signature(canonical: str, stamp: str, day: str, region: str, service: str) -> str:
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + SECRET_KEY.encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _path(request: Request) -> str:
    """The path as it was sent."""
    return str(request.environ["RAW_URI"]).partition("?")[0]


def _query(request: Request) -> list[tuple[str, str]]:
    text = request.query_string.decode()
    return [tuple(map(unquote_plus, pair.partition("=")[::2])) for pair in text.split("&") if pair]  # type: ignore[misc]


def _time(stamp: str) -> datetime:
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
