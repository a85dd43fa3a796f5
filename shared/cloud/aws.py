"""Calls of AWS services with the function's own role, signed by hand (see signature.py)."""

import json
from typing import Any

from shared import clock
from shared.cloud import transport
from shared.cloud.destinations import Aws, aws_base_url
from shared.cloud.signature import Credentials, sign
from shared.errors import Unavailable
from shared.settings import Setting, read, read_optional

# Bytes. The longest is ten parameters of 8 KB.
MAX_JSON_BYTES = 256 * 1024


def credentials() -> Credentials:
    """The role's credentials as the Lambda runtime hands them over; read anew, since they rotate."""
    return Credentials(
        read(Setting.AWS_ACCESS_KEY_ID),
        read(Setting.AWS_SECRET_ACCESS_KEY),
        read_optional(Setting.AWS_SESSION_TOKEN),
    )


def endpoint(service: str) -> str:
    """Base URL of a service in the function's region, or the one address that replaces them all."""
    return aws_base_url(service)


def call_json(
    service: str, url: str, target: str, version: str, body: dict[str, Any], seconds: float
) -> dict[str, Any]:
    """One action of a service that speaks AWS JSON (`target` such as "AmazonSSM.GetParameters").

    Raises Unavailable (`<service>_refused` for any status but 200, `<service>_malformed` for no JSON object).
    """
    payload = json.dumps(body).encode()
    headers = {"content-type": f"application/x-amz-json-{version}", "x-amz-target": target}
    answer = signed("POST", url, headers, payload, service, seconds, MAX_JSON_BYTES)
    if answer.status != 200:
        raise Unavailable(f"{service}_refused")
    try:
        result = answer.json()
    except ValueError:
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
    max_bytes: int,
) -> transport.Answer:
    """Send one signed request. Raises what transport.send raises."""
    region = read(Setting.AWS_REGION)
    full = sign(method, url, headers, body, service=service, region=region, credentials=credentials(), now=clock.now())
    return transport.send(Aws(service), method, url, full, body, seconds, max_bytes=max_bytes)
