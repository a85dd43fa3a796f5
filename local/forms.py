"""What S3 checks of a browser's upload and moto does not: the policy of the form, its signature and its end.

Specification: Amazon S3 API Reference, "Authenticating Requests: Browser-Based Uploads Using POST".
"""

import base64
import hashlib
import hmac
import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from werkzeug.wrappers import Request, Response

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
MAXIMUM_FORM = 64 * 1024 * 1024
_WITHOUT_CONDITION = frozenset({"policy", "x-amz-signature", "file"})


def checked(application: Application, secret_key: str) -> Application:
    """The application, behind the check of every form; `secret_key` is the one that forms are signed with."""

    def check(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "POST" or not environ.get("CONTENT_TYPE", "").startswith("multipart/form-data"):
            return application(environ, start_response)
        body = environ["wsgi.input"].read(min(MAXIMUM_FORM, int(environ.get("CONTENT_LENGTH") or 0)))
        refused = refusal(Request(environ | {"wsgi.input": io.BytesIO(body)}), secret_key, datetime.now(UTC))
        if refused is not None:
            return Response(f"<Error><Code>AccessDenied</Code><Message>{refused}</Message></Error>", 403)(
                environ, start_response
            )
        return application(environ | {"wsgi.input": io.BytesIO(body)}, start_response)

    return check


def refusal(request: Request, secret_key: str, now: datetime) -> str | None:
    """Why S3 would not take a form; None when it would."""
    given = {name.lower(): value for name, value in request.form.items()}
    file = request.files.get("file")
    if file is None or "policy" not in given:
        return "POST requires a policy and one file"
    if not hmac.compare_digest(_signature(given, secret_key), given.get("x-amz-signature", "")):
        return "SignatureDoesNotMatch"
    policy = json.loads(base64.b64decode(given["policy"]))
    if now >= datetime.fromisoformat(policy["expiration"]):
        return "Invalid according to Policy: Policy expired."
    given["bucket"] = request.path.strip("/").split("/")[0]
    size = len(file.read())
    named = {"bucket"}
    for condition in policy["conditions"]:
        if isinstance(condition, list) and condition[0] == "content-length-range":
            if not condition[1] <= size <= condition[2]:
                return "EntityTooLarge or EntityTooSmall"
            continue
        [(name, value)] = condition.items()
        named.add(name.lower())
        if given.get(name.lower()) != value:
            return f"Invalid according to Policy: Policy Condition failed: {name}"
    if extra := given.keys() - named - _WITHOUT_CONDITION:
        return f"Invalid according to Policy: Extra input fields: {', '.join(sorted(extra))}"
    return None


def _signature(given: dict[str, str], secret_key: str) -> str:
    key = b"AWS4" + secret_key.encode()
    for part in given.get("x-amz-credential", "").split("/")[1:]:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, given["policy"].encode(), hashlib.sha256).hexdigest()
