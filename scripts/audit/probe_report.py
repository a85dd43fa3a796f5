"""What the probe sent and what came back, for people and for programs."""

import json
import textwrap
from itertools import groupby

from scripts.audit.probe import Outcome

JSON_VERSION = 1
WIDTH = 110
INDENT = " " * 22


def print_report(url: str, outcomes: list[Outcome], as_json: bool) -> bool:
    """Print everything; whether every attack came to what it must come to."""
    print(to_json(url, outcomes) if as_json else to_text(outcomes))
    return not any(outcome.complaints for outcome in outcomes)


def to_text(outcomes: list[Outcome]) -> str:
    """Each answer with the attacks that got it, once for all functions that answered alike; complaints below."""
    alike: dict[str, list[str]] = {}
    for name, group in groupby(outcomes, key=lambda outcome: outcome.function.name):
        of_function = list(group)
        alike.setdefault(f"  {of_function[0].function.guard}\n{_answers(of_function)}", []).append(name)
    blocks = []
    for said, names in alike.items():
        guard, _, answers = said.partition("\n")
        blocks.append(textwrap.fill(" · ".join(names) + guard, WIDTH) + "\n" + answers)
    bad = sum(bool(outcome.complaints) for outcome in outcomes)
    functions = {outcome.function.name for outcome in outcomes}
    return "\n".join([*blocks, f"{len(functions)} functions, {len(outcomes)} attacks, {bad} not as they must be"])


def _answers(outcomes: list[Outcome]) -> str:
    answers: dict[tuple[int, str], list[str]] = {}
    complaints = []
    for outcome in outcomes:
        if outcome.complaints:
            said = f"{outcome.attack.name}: {'; '.join(outcome.complaints)}"
            complaints.append((outcome.answer.status, outcome.verdict, said))
        else:
            answers.setdefault((outcome.answer.status, outcome.verdict), []).append(outcome.attack.name)
    lines = [(status, verdict, " · ".join(attacks)) for (status, verdict), attacks in sorted(answers.items())]
    return "\n".join(
        textwrap.fill(
            f"  {status or '---'}  {verdict}".ljust(len(INDENT)) + said,
            WIDTH,
            subsequent_indent=INDENT,
            break_on_hyphens=False,
        )
        for status, verdict, said in lines + complaints
    )


def to_json(url: str, outcomes: list[Outcome]) -> str:
    """`version` 1: `url`, `functions` (each `name`, `guard`, `attacks`) and `counts`.

    An attack is `name`, `method`, `status` (0: no answer), `verdict` and `complaints`. Names are only added within a
    version.
    """
    functions = []
    for name, group in groupby(outcomes, key=lambda outcome: outcome.function.name):
        of_function = list(group)
        attacks = [
            {
                "name": outcome.attack.name,
                "method": outcome.attack.method,
                "status": outcome.answer.status,
                "verdict": outcome.verdict,
                "complaints": outcome.complaints,
            }
            for outcome in of_function
        ]
        functions.append({"name": name, "guard": of_function[0].function.guard, "attacks": attacks})
    bad = sum(bool(outcome.complaints) for outcome in outcomes)
    counts = {"functions": len(functions), "attacks": len(outcomes), "complaints": bad}
    document = {"version": JSON_VERSION, "url": url, "functions": functions, "counts": counts}
    return json.dumps(document, indent=2, ensure_ascii=False)
