"""Calls of AWS services with the function's own role, signed by hand (see signature.py)."""

import json
from typing import Any

from shared import clock
from shared.cloud import transport
from shared.cloud.signature import Credentials, sign
from shared.errors import Unavailable
from shared.settings import Setting, read, read_optional


def credentials() -> Credentials:
    """The role's credentials as the Lambda runtime hands them over; read anew, since they rotate."""
    return Credentials(
        read(Setting.AWS_ACCESS_KEY_ID),
        read(Setting.AWS_SECRET_ACCESS_KEY),
        read_optional(Setting.AWS_SESSION_TOKEN),
    )


def endpoint(service: str) -> str:
    """Base URL of a service in the function's region, or the one address that replaces them all."""
    return read_optional(Setting.AWS_ENDPOINT_URL) or f"https://{service}.{read(Setting.AWS_REGION)}.amazonaws.com"


def call_json(
    service: str, url: str, target: str, version: str, body: dict[str, Any], seconds: float
) -> dict[str, Any]:
    """One action of a service that speaks AWS JSON (`target` such as "AmazonSSM.GetParameters").

    Raises Unavailable (`<service>_refused` for any status but 200, `<service>_malformed` for no JSON object).
    """
    payload = json.dumps(body).encode()
    headers = {"content-type": f"application/x-amz-json-{version}", "x-amz-target": target}
    answer = signed("POST", url, headers, payload, service, seconds)
    if answer.status != 200:
        raise Unavailable(f"{service}_refused")
    try:
        result = json.loads(answer.body)
    except (ValueError, RecursionError):
        result = None
    if not isinstance(result, dict):
        raise Unavailable(f"{service}_malformed")
    return result


def signed(
    method: str,
    url: str,
    headers: dict[str, str],
    body: bytes,
    service: str,
    seconds: float,
    most: int = transport.MAXIMUM_ANSWER,
) -> transport.Answer:
    """One signed request; its answer has at most so many bytes."""
    region = read(Setting.AWS_REGION)
    full = sign(method, url, headers, body, service=service, region=region, credentials=credentials(), now=clock.now())
    return transport.send(method, url, full, body, seconds, most=most)
