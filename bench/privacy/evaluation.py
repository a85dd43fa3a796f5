"""Count what a candidate leaves: recall by class, fields damaged, time a line."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.privacy.lines import Line, leaks
from bench.privacy.objects import ObjectScore

Mask = Callable[[str], str]
SCALE = 300


class Score(NamedTuple):
    """Sums of one candidate over one set of lines. `classes` maps (group, kind, class) to (caught, planted)."""

    classes: dict[tuple[str, str, str], tuple[int, int]]
    damaged: dict[str, tuple[int, int]]
    unstable: int
    failed: int
    micros: list[float]

    def recall(self, group: str, kind: str = "") -> float:
        """Per cent of the planted values that were caught."""
        counted = [count for (own, what, _), count in self.classes.items() if own == group and kind in ("", what)]
        return _per_cent(sum(caught for caught, _ in counted), sum(planted for _, planted in counted))

    def of(self, *names: str) -> float:
        """Recall over some classes, on ordinary lines."""
        counted = [count for (group, _, name), count in self.classes.items() if group == "ordinary" and name in names]
        return _per_cent(sum(caught for caught, _ in counted), sum(planted for _, planted in counted))

    def worst(self, group: str = "ordinary") -> tuple[float, str]:
        """The class with the lowest recall."""
        return min((_per_cent(*count), name) for (own, _, name), count in self.classes.items() if own == group)

    def lost(self, group: str) -> float:
        """Per cent of the fields to keep that are no longer there."""
        damaged, all_of_them = self.damaged.get(group, (0, 0))
        return _per_cent(damaged, all_of_them)


def evaluate(mask: Mask, lines: Sequence[tuple[str, Line]], *, repeats: int = 3) -> Score:
    """Run the candidate over the lines. What it raises counts as a line that it left as it was."""
    classes: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    damaged: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    unstable = failed = 0
    micros = []
    for group, line in lines:
        spent = []
        for _ in range(repeats):
            began = time.process_time_ns()
            try:
                seen = mask(line.text)
            except Exception:
                seen = line.text
                failed += 1
            spent.append(time.process_time_ns() - began)
        micros.append(min(spent) / 1000 * SCALE / max(len(line.text), SCALE))
        unstable += repeats > 1 and mask(seen) != seen
        if line.kind:
            count = classes[group, line.kind, line.name]
            count[0] += not leaks(line.name, line.value, seen)
            count[1] += 1
        lost = damaged[group]
        lost[0] += sum(field not in seen for field in line.kept)
        lost[1] += len(line.kept)
    return Score(
        {place: (caught, planted) for place, (caught, planted) in classes.items()},
        {group: (bad, total) for group, (bad, total) in damaged.items()},
        unstable,
        failed,
        sorted(micros),
    )


def _per_cent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else float("nan")


# Twenty thousand characters of what makes a careless expression slow.
HOSTILE = {
    unit: (unit * 20_000)[:20_000]
    for unit in (
        "a", "0", "9 ", "1-", "(1", "+5", "1.", "54 9 ", "@", "a@", "a.@b.", "\\", "%", "%25", "&#", '"', '"@', ":",
        "1:", "::", "2800:", "A0", "AB.", "token", "token=", 'token: "', '"password":"', "cookie: ", "://", "://a:",
        "wamid.", "eyJaaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", "basic aaaaaaaa ", "\u200b5", "\uff15", "\\u0041",
        "{", '{"a":', "5491155550101 ", "ana@exemplo.com ", "sb_secret_aaaaaaaaaaaaaaaaaaaaaa ", "dni 1234567 ",
        "\ud800",
    )
}  # fmt: skip


def figures(score: Score, of_objects: ObjectScore) -> dict[str, float | str]:
    """What the table shows of one candidate."""
    worst, worst_name = score.worst()
    phones = ("wa_id", *(name for _, _, name in score.classes if name.startswith("phone")))
    documents = ("cpf", "cnpj", "cnpj letters", "cuit", "dni", "rut", "curp", "rfc")
    return {
        "phone": score.of(*phones),
        "whatsapp": score.of("jid", "bsuid", "group id", "wamid"),
        "email": score.of("email", "email odd"),
        "documents": score.of(*documents),
        "card": score.of("card"),
        "ip": score.of("ipv4", "ipv6"),
        "pii": score.recall("ordinary", "pii"),
        "secret": score.recall("ordinary", "secret"),
        "worst": worst,
        "worst name": worst_name,
        "hard": score.recall("hard"),
        "objects": of_objects.recall,
        "lost negative": score.lost("negative"),
        "lost ordinary": score.lost("ordinary"),
        "lost hard": score.lost("hard"),
        "lost objects": of_objects.lost,
        "unstable": score.unstable,
        "failed": score.failed + of_objects.failed,
        "p50": score.micros[len(score.micros) // 2],
        "p99": score.micros[int(len(score.micros) * 0.99)],
    }
