"""Invoking another function of ours and waiting for its answer (Lambda's Invoke, RequestResponse)."""

import json
from typing import Any
from urllib.parse import quote

from shared.cloud import aws
from shared.errors import Unavailable

# Bytes of an answer, from Lambda's quotas.
MAX_ANSWER = 6 * 1024 * 1024


def invoke(name: str, payload: dict[str, Any], seconds: float) -> Any:
    """Return what the function of this name answers to `payload`.

    A function that fails answers 200 too, with a document of its error: the caller has to check the answer's shape.
    Raises Unavailable (`lambda_refused`, `lambda_malformed`, `upstream_...`).
    """
    url = f"{aws.endpoint('lambda')}/2015-03-31/functions/{quote(name, safe='')}/invocations"
    headers = {"content-type": "application/json", "x-amz-invocation-type": "RequestResponse"}
    answer = aws.signed("POST", url, headers, json.dumps(payload).encode(), "lambda", seconds, MAX_ANSWER)
    if answer.status != 200:
        raise Unavailable("lambda_refused")
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise Unavailable("lambda_malformed") from None
