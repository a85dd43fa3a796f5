"""The peers of masking, measured by the same code on the same lines, in an environment of their own.

    bench/privacy/.venv/bin/python -m bench.privacy.peers NAME EACH

Prints one JSON object: the figures of that candidate, or why there are none. Each is called as its documentation shows;
what it finds is replaced by a mark.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from bench.privacy.evaluation import HOSTILE, Mask, evaluate, figures
from bench.privacy.lines import lines
from bench.privacy.objects import evaluate_objects, objects
from bench.privacy.seeds import OBJECTS, UNSEEN
from tests.shared.privacy.unseen import TEMPLATES

REGIONS = "AR BO BR CL CO CR CU DO EC ES GT HN MX NI PA PE PR PY SV US UY VE".split()  # noqa: SIM905
PATIENCE_SECONDS = 10.0


def main() -> int:
    name, each = sys.argv[1], int(sys.argv[2])
    began = time.process_time()
    try:
        mask, mask_object = CANDIDATES[name]()
        mask("a first line, since some load what they need at the first")
    except Exception as error:
        print(json.dumps({"problem": f"{type(error).__name__}: {error}"[:200]}))
        return 0
    imported = (time.process_time() - began) * 1000
    score = evaluate(mask, list(lines(TEMPLATES, UNSEEN, each)), repeats=1)
    of_objects = evaluate_objects(mask_object, list(objects(OBJECTS, each)))
    print(json.dumps(figures(score, of_objects) | {"import": imported, "hostile": hostile(mask)}))
    return 0


def hostile(mask: Mask) -> float:
    """Milliseconds of the slowest hostile text; the rest is left out once it takes too long."""
    worst = 0.0
    for text in HOSTILE.values():
        began = time.process_time()
        mask(text)
        worst = max(worst, time.process_time() - began)
        if worst > PATIENCE_SECONDS:
            break
    return worst * 1000


def presidio() -> tuple[Mask, Callable[[Any], Any]]:
    """Its pattern recognisers and its telephone recogniser with the regions of Latin America; no language model."""
    suffixes = importlib.import_module("tldextract.tldextract")
    # The list of suffixes that it carries, rather than the one it would fetch.
    suffixes.TLD_EXTRACTOR = suffixes.TLDExtract(suffix_list_urls=(), cache_dir=None)
    sys.modules["tldextract"].extract = suffixes.TLD_EXTRACTOR  # type: ignore[attr-defined]
    recognizers = importlib.import_module("presidio_analyzer.predefined_recognizers")
    made = [
        recognizers.EmailRecognizer(),
        recognizers.PhoneRecognizer(supported_regions=REGIONS),
        recognizers.CreditCardRecognizer(),
        recognizers.IpRecognizer(),
        recognizers.IbanRecognizer(),
        recognizers.CryptoRecognizer(),
    ]

    def mask(text: str) -> str:
        spans = []
        for recognizer in made:
            for result in recognizer.analyze(text, recognizer.supported_entities, None) or []:
                spans.append((result.start, result.end))
        for start, end in sorted(spans, reverse=True):
            text = f"{text[:start]}[masked]{text[end:]}"
        return text

    return mask, by_strings(mask)


def detect_secrets() -> tuple[Mask, Callable[[Any], Any]]:
    """All of its plugins with their defaults, the entropy ones too."""
    scan = importlib.import_module("detect_secrets.core.scan")
    settings = importlib.import_module("detect_secrets.settings")

    def mask(text: str) -> str:
        with settings.default_settings():
            for secret in list(scan.scan_line(text)):
                if secret.secret_value:
                    text = text.replace(secret.secret_value, "[masked]")
        return text

    return mask, by_strings(mask)


def sentry() -> tuple[Mask, Callable[[Any], Any]]:
    """EventScrubber, recursive, with its own lists. It works on keys, so that a line is a message to it."""
    scrubber = importlib.import_module("sentry_sdk.scrubber").EventScrubber(recursive=True, send_default_pii=False)

    def mask(text: str) -> str:
        event = {"message": text}
        scrubber.scrub_event(event)
        return event["message"]

    def mask_object(value: dict[str, Any]) -> Any:
        event = {"extra": dict(value)}
        scrubber.scrub_event(event)
        # What it removed it replaced by an annotated value that goes over the wire as "[Filtered]".
        return event["extra"]

    return mask, mask_object


def by_strings(mask: Mask) -> Callable[[Any], Any]:
    """A candidate for text, applied to every string, number and key of an object, for the benefit of the doubt."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key if str(key).isidentifier() else walk(key): walk(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(walk(item) for item in value)
        if isinstance(value, str):
            return mask(value)
        if value is None or isinstance(value, bool):
            return value
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else repr(value)
        masked = mask(text)
        return value if masked == text else masked

    return walk


CANDIDATES: dict[str, Callable[[], tuple[Mask, Callable[[Any], Any]]]] = {
    "Presidio patterns": presidio,
    "detect-secrets": detect_secrets,
    "Sentry scrubber": sentry,
}

if __name__ == "__main__":
    sys.exit(main())
