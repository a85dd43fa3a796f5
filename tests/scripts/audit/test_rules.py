"""Every rule is broken at least once, each time alone, and named with its file and line."""

import re
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.audit import forgery, report
from scripts.audit.facts import Facts
from scripts.audit.findings import RULES, AuditError, Finding
from scripts.audit.guard_literal import SECRETS_OF_SCHEME
from scripts.audit.suite import audit
from scripts.audit_guards import PROJECT
from tests.scripts.audit.bad_suites import BAD_SUITES
from tests.scripts.audit.good_suite import FILES, write

TODAY = date(2026, 11, 23)


def places(findings: list[Finding]) -> list[tuple[str, str, int]]:
    return sorted((finding.rule, finding.file, finding.line) for finding in findings)


def test_a_good_suite_passes(tmp_path):
    result = audit(write(tmp_path, FILES), TODAY)
    assert result.findings == []
    assert {function.file for function in result.functions} == {name for name in FILES if name.startswith("functions/")}


@pytest.mark.parametrize(
    "bad", BAD_SUITES, ids=lambda bad: f"{bad.rule} by {' '.join((bad.new or 'nothing').split())[:60]}"
)
def test_a_bad_suite_is_named(tmp_path, bad):
    findings = audit(write(tmp_path, bad.files()), TODAY).findings
    assert places(findings) == sorted(bad.findings())
    for finding in findings:
        assert 15 <= len(finding.message) <= 200
        assert finding.message[0].islower()


@pytest.mark.parametrize(
    "code",
    [
        "import re\n\n_DIGITS = re.compile('[0-9]')",
        "from datetime import UTC, datetime",
        "import datetime\n\n_DAY = datetime.datetime",
        "import collections.abc\nfrom urllib.parse import quote",
        "from pydantic import field_validator",
        "_A, _B = 1, 2",
        "class _Sum:\n    total: int = 0\n\n    def add(self, more: int) -> None:\n        self.total += more",
        "def _apply(event: object) -> None:\n    match event:\n        case {'kind': kind}:\n            print(kind)",
    ],
)
def test_plain_code_is_let_be(tmp_path, code):
    files = FILES | {"functions/app_thing.py": f"{FILES['functions/app_thing.py']}\n\n{code}\n"}
    assert audit(write(tmp_path, files), TODAY).findings == []


def test_every_rule_has_a_bad_suite():
    assert {bad.rule for bad in BAD_SUITES} == set(RULES)


def test_a_finding_of_an_unknown_rule_cannot_be_made():
    with pytest.raises(KeyError, match="no-such-rule is no rule"):
        Finding("functions/app_thing.py", 1, "no-such-rule", "do something")


@pytest.mark.parametrize("file", ["serverless.yml", "shared/settings.py", "shared/guard/kinds.py"])
def test_without_what_it_compares_with_there_is_no_audit(tmp_path, file):
    with pytest.raises(AuditError):
        audit(write(tmp_path, {name: text for name, text in FILES.items() if name != file}), TODAY)


def test_a_waiver_covers_its_rule_in_its_file_until_its_day(tmp_path):
    broken = FILES["functions/public_health.py"].replace("GUARD = guard(\n", "if True:\n    GUARD = guard(\n")
    waiver = f"guard-nested functions/public_health.py {TODAY} we will mend it\n"
    result = audit(
        write(tmp_path, FILES | {"functions/public_health.py": broken, "scripts/audit_waivers.txt": waiver}), TODAY
    )
    assert result.findings == []
    assert [entry.finding.rule for entry in result.waived] == ["guard-nested"]


def test_the_folder_of_bytecode_and_the_tests_before_there_are_refusals_are_left_alone(tmp_path):
    files = {name: text for name, text in FILES.items() if not name.startswith("tests/")}
    files["functions/__pycache__/app_thing.cpython-313.pyc"] = "x"
    files["tests/output/not_built.txt"] = "queue_reply\n"
    assert audit(write(tmp_path, files), TODAY).findings == []


def test_every_scheme_of_the_project_is_known_to_the_audit_and_to_the_probe():
    schemes = Facts(PROJECT).schemes
    assert schemes == SECRETS_OF_SCHEME.keys() == forgery.SCHEMES.keys(), (
        "You are here because a scheme came or went: say its secret in scripts/audit/guard_literal.py, and how it is "
        "forged in scripts/audit/forgery.py."
    )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_a_file_holds_it_is_read_or_named(tmp_path_factory, data):
    """Words of a good file taken out, doubled and put elsewhere."""
    file = data.draw(st.sampled_from(sorted(name for name in FILES if not name.startswith("shared/"))))
    words = re.findall(r"\w+|\s+|.", FILES[file])
    for _ in range(data.draw(st.integers(1, 4))):
        if not words:
            break
        place, other = (data.draw(st.integers(0, len(words) - 1)) for _ in range(2))
        words[place : place + 1] = data.draw(st.sampled_from([[], [words[other]], [words[place], words[other]], ["*"]]))
    folder = write(tmp_path_factory.mktemp("suite"), FILES | {file: "".join(words)})
    with suppress(AuditError):  # where serverless.yml is no YAML any more
        assert report.table(audit(folder, TODAY))


def test_a_link_in_the_folder_is_named(tmp_path):
    write(tmp_path, FILES)
    (tmp_path / "functions" / "app_linked.py").symlink_to(tmp_path / "functions" / "app_thing.py")
    findings = audit(tmp_path, TODAY).findings
    assert [(finding.rule, finding.file) for finding in findings] == [("foreign-file", "functions/app_linked.py")]
