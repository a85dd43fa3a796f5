"""Hostile code in place of a parser finds no secret, no file and no network; each attack works without the sandbox."""

import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.plan import PROJECT
from shared.errors import Unavailable
from shared.knowledge import reading, sandbox
from shared.knowledge.refusal import RefusedFileError
from tests.logged import lines_logged
from tests.shared.knowledge.hostile import CANARY, LOUD, quiet_attacks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is made of Linux's own parts")
# Where the platform forbids the filter, these are left (docs/decisions/0019).
LEFT_WITHOUT_FILTER = {"a signal to the parent", "memory with code in it", "a dump of its memory", "standard error"}
# In a process of root, limits of processes do not bind (a Lambda function is never root).
OF_ROOT = {"a process", "a program", "a thread"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """A port that listens, and a file with a listening socket beside it."""
    path = tmp_path_factory.mktemp("hostile") / "file"
    path.write_text(CANARY)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(f"{path}.socket")
        local.listen()
        yield server.getsockname()[1], str(path)


def attacked(place: tuple[int, str], mode: str, attacks: str = "quiet") -> dict[str, Any]:
    port, path = place
    ran = subprocess.run(
        [sys.executable, "-m", "tests.shared.knowledge.hostile", mode, attacks, str(port), path],
        cwd=PROJECT,
        env={"PATH": os.defpath, "AI_API_KEY": CANARY},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


@pytest.fixture(scope="module")
def outcomes(place: tuple[int, str]) -> dict[str, dict[str, str]]:
    """Mode -> attack -> what came of it."""
    return {mode: json.loads(attacked(place, mode)["text"]) for mode in ("sandboxed", "unfiltered", "free")}


ATTACKS = tuple(quiet_attacks(0, ""))


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_code_is_refused_in_the_sandbox_only(outcomes, attack):
    assert not outcomes["free"][attack].startswith("refused"), outcomes["free"][attack]
    assert outcomes["sandboxed"][attack].startswith("refused")


def test_without_a_filter_only_what_is_written_down_is_left(outcomes):
    succeeded = {attack for attack, outcome in outcomes["unfiltered"].items() if not outcome.startswith("refused")}
    assert succeeded - (OF_ROOT if os.getuid() == 0 else set()) == LEFT_WITHOUT_FILTER


def test_the_secret_of_the_parent_is_what_an_attack_would_have_found(outcomes):
    assert CANARY in outcomes["free"]["environment of the parent"]
    for mode in ("sandboxed", "unfiltered"):
        assert CANARY not in outcomes[mode]["environment of the parent"]


@pytest.mark.parametrize(
    ("mode", "attack", "answer"),
    [
        ("sandboxed", "much memory", {"refused": "unreadable"}),
        ("free", "much memory", {"text": str(2 * sandbox.MAX_MEMORY)}),
        ("sandboxed", "much time", {"refused": "too_slow"}),
        ("sandboxed", "much output", {"refused": "unreadable"}),
        ("sandboxed", "a crash", {"refused": "unreadable"}),
        ("sandboxed", "an end without an answer", {"refused": "unreadable"}),
        ("sandboxed", "every system call", {"text": "[]"}),
        ("unfiltered", "is dumpable", {"text": "0"}),
        ("free", "is dumpable", {"text": "1"}),
        ("sandboxed", "its environment", {"text": "LC_CTYPE LD_LIBRARY_PATH PYTHONDONTWRITEBYTECODE PYTHONPATH"}),
    ],
)
def test_what_is_exhausted_or_broken_is_refused(place, mode, attack, answer):
    assert attack in LOUD
    assert attacked(place, mode, attack) == answer


def test_the_kernel_ends_a_child_that_computes_too_long(place):
    command = [sys.executable, "-m", "tests.shared.knowledge.hostile", "txt", "1", "filtered", "sandboxed", "much time"]
    ran = subprocess.run([*command, "0", "x"], cwd=PROJECT, input=b"x", capture_output=True, timeout=30, check=False)
    assert (ran.returncode, ran.stdout) == (-signal.SIGXCPU, b"")


@pytest.mark.parametrize(
    ("output", "returncode", "reason"),
    [
        (b"", -24, "too_slow"),
        (b"", -9, "unreadable"),
        (b'{"text": "a"}', 0, "unreadable"),
        (b'{"text": 1, "filtered": true}', 0, "unreadable"),
        (b'{"text": "a", "filtered": "true"}', 0, "unreadable"),
        (b'{"refused": "because"}', 0, "unreadable"),
        (b"[" * 100_000, 0, "unreadable"),
        (b"null", 0, "unreadable"),
        (b"\xff", 0, "unreadable"),
    ],
)
def test_whatever_the_child_says_is_a_text_or_a_reason(output, returncode, reason):
    assert reading._answered(b'{"text": "a", "filtered": true}', 0) == "a"
    with pytest.raises(RefusedFileError, match=reason):
        reading._answered(output, returncode)


def test_a_text_without_a_filter_is_logged():
    with lines_logged() as lines:
        assert reading._answered(b'{"text": "a", "filtered": true}', 0) == "a"
        assert lines == []
        assert reading._answered(b'{"text": "a", "filtered": false}', 0) == "a"
    assert "without a filter of system calls" in lines[0]


def test_a_sandbox_that_fails_is_no_fault_of_the_file():
    with pytest.raises(Unavailable, match="sandbox_incomplete"):
        reading._answered(b'{"failed": "sandbox"}', 1)


def test_a_child_that_needs_the_filter_does_not_parse_without_it(place):
    with pytest.raises(Unavailable, match="sandbox_incomplete"):
        reading._answered(_child_without_filter("filtered"), 0)
    assert reading._answered(_child_without_filter(), 0) == "abc"


def _child_without_filter(*arguments: str) -> bytes:
    code = (
        "import sys; from shared.knowledge import reading, sandbox; sandbox._filter_system_calls = lambda: False;"
        f"sys.argv = {['x', 'txt', '5', *arguments]!r}; reading.main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, input=b"abc", capture_output=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ("given", "soft", "hard", "then"),
    [
        (resource.RLIM_INFINITY, 100, None, (100, 100)),
        (resource.RLIM_INFINITY, 5, 6, (5, 6)),
        (50, 100, None, (50, 50)),
        (100, 100, None, (100, 100)),
        (5, 5, 6, (5, 5)),
        (0, 5, 6, (0, 0)),
    ],
)
def test_a_limit_that_is_lower_already_stays(monkeypatch, given, soft, hard, then):
    seen = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (given, given))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: seen.append(limits))
    sandbox._limit(resource.RLIMIT_CPU, soft, hard)
    assert seen == [then]


def test_a_file_is_read_under_lower_limits_than_ours():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (600 * 2**20,) * 2);"
        "resource.setrlimit(resource.RLIMIT_CPU, (10, 10)); from shared.knowledge.reading import words_of;"
        "print(words_of('md', b'Hola', 20.0))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert ran.stdout == "Hola\n"


@pytest.mark.parametrize("machine", sandbox._PLATFORMS)
def test_the_filter_of_each_architecture_allows_the_same_calls(machine):
    """Run the program as the kernel would, for every number of the architecture and a few of another one."""
    found = sandbox._PLATFORMS[machine]
    program = sandbox._program(found)
    allowed = {name for name, number in found.calls.items() if _verdict(program, number, found.audit, 1, 0) == "allow"}
    assert allowed == found.calls.keys()
    others = set(range(700)) - set(found.calls.values())
    assert {_verdict(program, number, found.audit, 1, 0) for number in others} == {"refuse"}
    assert _verdict(program, found.calls["mmap"], found.audit, 0, 3) == "allow"
    assert _verdict(program, found.calls["mmap"], found.audit, 0, 4) == "refuse"
    assert _verdict(program, found.calls["mprotect"], found.audit, 0, 7) == "refuse"
    assert _verdict(program, found.calls["write"], found.audit, 2, 0) == "refuse"
    assert _verdict(program, found.calls["write"] | 0x40000000, found.audit, 1, 0) == "refuse"
    assert _verdict(program, found.calls["write"], 0x40000003, 1, 0) == "kill"


def _verdict(program: bytes, number: int, architecture: int, argument_0: int, argument_2: int) -> str:
    """What the filter says of one system call, by an interpreter of those instructions that it has."""
    data = {0: number, 4: architecture, 16: argument_0, 32: argument_2}
    steps = list(struct.iter_unpack("=HBBI", program))
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, operand = steps[at]
        at += 1
        if code == 0x20:
            accumulator = data[operand]
        elif code == 0x15:
            at += if_true if accumulator == operand else if_false
        elif code == 0x45:
            at += if_true if accumulator & operand else if_false
        else:
            assert code == 0x06
            return {0x7FFF0000: "allow", 0x00050001: "refuse", 0x80000000: "kill"}[operand]


def test_the_numbers_of_this_architecture_are_those_of_the_system():
    """Compare with what the kernel's headers say, where they are installed."""
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if os.uname().machine != "x86_64" or not header.exists():
        pytest.skip("the kernel's headers are not installed")
    numbers = {
        parts[1].removeprefix("__NR_"): int(parts[2])
        for parts in (line.split() for line in header.read_text().splitlines())
        if len(parts) == 3 and parts[0] == "#define" and parts[2].isdecimal()
    }
    calls = sandbox._PLATFORMS["x86_64"].calls
    assert {name: numbers[name] for name in calls} == calls
