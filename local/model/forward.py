"""Ask a real model instead: any endpoint that speaks the OpenAI API, for `make redteam`."""

import os

import httpx

from local.model.refusal import Refusal
from local.payloads import Json

BASE_URL, API_KEY, MODEL = "REDTEAM_BASE_URL", "REDTEAM_API_KEY", "REDTEAM_MODEL"
SECONDS = 20.0


def forward(asked: Json) -> Json:
    """Its answer to the same request. Raises Refusal when it gives none."""
    try:
        response = httpx.post(
            f"{os.environ[BASE_URL].rstrip('/')}/chat/completions",
            headers={"authorization": f"Bearer {os.environ[API_KEY]}"},
            json=asked | {"model": os.environ[MODEL]},
            timeout=SECONDS,
        )
    except httpx.HTTPError as error:
        raise Refusal(502, f"The real model did not answer: {type(error).__name__}") from None
    if response.status_code != 200:
        raise Refusal(502, f"The real model answered {response.status_code}.")
    answer: Json = response.json()
    return answer
