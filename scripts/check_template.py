"""Check what would be deployed: package serverless.yml for dev and prod, without an account, and look at the result.

Builds the zips and imports each one on its own, packages the template with osls, asks cfn-lint with its rules for
serverless applications, and asks our own rules (deployment/rules.py). A tool that cannot run is a failure.

    python scripts/check_template.py

Prints a table; exit code 1 when anything is wrong.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from local.template import load_template
from scripts.deployment.closure import ClosureError, Sources, read_guard
from scripts.deployment.rules import RULES
from scripts.deployment.runtime import PackageError
from scripts.deployment.template import Deployment
from scripts.package import DEPLOYED, is_native, package

PROJECT = Path(__file__).resolve().parent.parent
STAGES = ("dev", "prod")
REGION = "sa-east-1"
ACCOUNT = "123456789012"
# What cfn-lint says that is meant to be so: rule -> which resources, and why.
SILENCED = {
    "W3005": (r"\w+(LambdaFunction|Stage|Route\w+)", "osls writes DependsOn where a reference already says it"),
    "W8003": (r"Has\w+", "osls fills in parameters, so a condition on one is constant in each stage's template"),
    "ES1001": (r"Queue\w+", "for SQS the queue's redrive policy is the failure destination; our own rule looks at it"),
    "ES1007": (r"CronUnderscore\w+", "the EventInvokeConfig is there, by Ref not GetAtt; our own rule looks at it"),
    "ES6000": (r"\w+DeadLetters|\w+Failures", "a queue of failures has no queue of failures; it has an alarm"),
    "ES7000": (r"AlarmEmail", "an e-mail that SNS cannot deliver has no better place to go; the alarm stays visible"),
}


class ToolError(Exception):
    """A tool is missing or did not run; the text says what to do."""


@dataclass
class Check:
    """One line of the table."""

    name: str
    problems: list[str] = field(default_factory=list)


def check(project: Path) -> Iterator[Check]:
    """Every check of a project, one after the other. Raises ToolError, PackageError or ClosureError."""
    yield Check("package-lock.json names no host", check_lock(project / "package-lock.json"))
    install_node_packages(project)
    sources = Sources(project)
    yield Check("zips are built for Lambda", _package(sources, DEPLOYED))
    yield Check("zips import on their own", _package(sources, _native_architecture()))
    guards = {function: read_guard(sources.paths[f"functions.{function}"]) for function in sources.functions()}
    used: set[str] = set()
    for stage in STAGES:
        path = package_template(project, stage)
        problems, silenced = ask_cfn_lint(path)
        used |= silenced
        yield Check(f"{stage}: cfn-lint", problems)
        template = load_template(project / "serverless.yml", stage, REGION, ACCOUNT)
        inputs = {schedule.function: schedule.input for schedule in template.schedules}
        resources = json.loads(path.read_text(encoding="utf-8"))["Resources"]
        deployment = Deployment(stage, template.service, resources, guards, inputs)
        for rule in RULES:
            yield Check(f"{stage}: {rule.__name__.replace('_', ' ')}", list(rule(deployment)))
    stale = [f"{rule} is silenced, but nothing needs it any more" for rule in sorted(SILENCED.keys() - used)]
    yield Check("every silenced rule is needed", stale)


def check_lock(path: Path) -> list[str]:
    """Addresses in the lock file, which would bind everybody to one registry."""
    packages = json.loads(path.read_text(encoding="utf-8"))["packages"]
    return [
        f"{name} is locked to an address: run npm install with omit-lockfile-registry-resolved (it is in .npmrc)"
        for name, entry in packages.items()
        if "resolved" in entry
    ]


def install_node_packages(project: Path) -> None:
    """`npm ci`, unless node_modules is what package-lock.json says. Raises ToolError."""
    lock = hashlib.sha256((project / "package-lock.json").read_bytes()).hexdigest()
    stamp = project / "node_modules" / ".installed-from"
    if stamp.exists() and stamp.read_text() == lock:
        return
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise ToolError("node and npm are needed to package serverless.yml: install Node.js 20, 22 or 24")
    run([npm, "ci", "--no-audit", "--no-fund"], project)
    stamp.write_text(lock)


def package_template(project: Path, stage: str) -> Path:
    """The CloudFormation template that osls makes for a stage. Raises ToolError."""
    folder = project / ".osls" / stage
    shutil.rmtree(folder, ignore_errors=True)
    osls = project / "node_modules" / ".bin" / "osls"
    run([str(osls), "package", "--stage", stage, "--region", REGION, "--package", str(folder)], project)
    return folder / "cloudformation-template-update-stack.json"


def ask_cfn_lint(path: Path) -> tuple[list[str], set[str]]:
    """What cfn-lint finds and SILENCED does not explain, and which of SILENCED it took. Raises ToolError."""
    program = Path(sys.executable).with_name("cfn-lint")
    options = ["--format", "json", "--append-rules", "cfn_lint_serverless.rules", "--regions", REGION]
    try:
        done = subprocess.run(
            [str(program), *options, "--template", str(path)], capture_output=True, text=True, check=False
        )
        findings: list[dict[str, Any]] = json.loads(done.stdout)
    except OSError:
        raise ToolError(f"cfn-lint is missing beside {sys.executable}: install requirements-dev.txt") from None
    except ValueError:
        raise ToolError(f"cfn-lint did not run: {(done.stderr or done.stdout).strip()[-800:]}") from None
    problems, used = [], set()
    for finding in findings:
        rule, place = finding["Rule"]["Id"], [str(part) for part in finding["Location"]["Path"] or []]
        silenced, _ = SILENCED.get(rule, ("", ""))
        if silenced and len(place) > 1 and re.fullmatch(silenced, place[1]):
            used.add(rule)
        else:
            problems.append(f"{rule} {finding['Message']} ({'/'.join(place)})")
    return problems, used


def run(command: list[str], project: Path) -> None:
    """Run a tool with made-up credentials: nothing here talks to AWS. Raises ToolError when it fails."""
    made_up = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_REGION": REGION}
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command, cwd=project, env={**os.environ, **made_up}, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise ToolError(f"{name} is missing or cannot be run: {error.strerror}") from None
    if done.returncode:
        raise ToolError(f"{name} {command[1]} failed:\n{(done.stdout + done.stderr).strip()[-2000:]}")


def _package(sources: Sources, architecture: str) -> list[str]:
    try:
        package(sources, architecture)
    except (PackageError, ClosureError) as error:
        return [str(error)]
    return []


def _native_architecture() -> str:
    for architecture in ("x86_64", "arm64"):
        if is_native(architecture):
            return architecture
    raise ToolError(f"the zips can be imported on Linux (x86-64 or arm64) only, not on {platform.platform()}")


def main(checks: Callable[[Path], Iterator[Check]] = check) -> int:
    """Run the checks, print the table."""
    count = failed = 0
    try:
        for done in checks(PROJECT):
            count += 1
            failed += bool(done.problems)
            print(f"{'FAIL' if done.problems else 'ok':<5} {done.name}")
            for problem in done.problems:
                print(f"      {problem}")
    except (ToolError, PackageError, ClosureError) as error:
        print(f"The template could not be checked: {error}", file=sys.stderr)
        return 1
    print(f"{count} checks of the deployment template, {failed} failed")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
