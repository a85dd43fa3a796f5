"""A parser that is hostile: `python -m tests.shared.knowledge.hostile <mode> <attacks> <port> <path>` is its parent.

The parent has a secret in its environment and calls reading.words_of(). Its child is that of reading.py with one
change, made here: in place of text_of() runs what is below. `mode` is "sandboxed", "unfiltered" (the platform
forbids the filter of system calls) or "free" (nothing is given up), which shows that each attack works at all.
"""

import ctypes
import errno
import json
import mmap
import os
import resource
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable

from shared.knowledge import reading, sandbox
from shared.knowledge.refusal import RefusedFileError

CANARY = "canary-7f3a"
# A descriptor that the parent left open by mistake.
LEAKED = 9
LIBC = ctypes.CDLL(None, use_errno=True)
MACHINE = os.uname().machine
# Of x86-64 and of 64-bit ARM.
PROCESS_VM_READV = {"x86_64": 310, "aarch64": 270}[MACHINE]
PTRACE_SEIZE = 0x4206
# The kernel answers these with SIGILL before any filter, to all but its own probes (uretprobe, uprobe).
OF_PROBES = {335, 336} if MACHINE == "x86_64" else set()


def _contents(path: str) -> str:
    with open(path, "rb") as file:
        return file.read(100_000).decode("utf-8", "replace")


def _connected(family: int, kind: int, address: object) -> str:
    with socket.socket(family, kind) as one:
        one.connect(address)
        one.send(b"x")
    return "sent"


def _forked() -> str:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "forked"


def _threaded() -> str:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    return "started"


def _called(number: int, *arguments: int) -> str:
    """A system call that is allowed, whatever it says of its arguments."""
    ctypes.set_errno(0)
    if LIBC.syscall(number, *map(ctypes.c_long, arguments)) < 0 and ctypes.get_errno() in (errno.EPERM, errno.EACCES):
        raise PermissionError
    return "called"


def _copied(parent: int) -> str:
    """Whether its memory may be read at all: nothing is at address 1, and that is another error."""
    local = ctypes.create_string_buffer(8)
    spans = [ctypes.create_string_buffer(struct.pack("@PN", at, 8)) for at in (ctypes.addressof(local), 1)]
    return _called(PROCESS_VM_READV, parent, ctypes.addressof(spans[0]), 1, ctypes.addressof(spans[1]), 1, 0)


def _peeked(parent: int) -> str:
    if LIBC.ptrace(PTRACE_SEIZE, parent, 0, 0) < 0:
        raise PermissionError
    return "attached"


def _written(path: str) -> str:
    with open(path, "w") as file:
        file.write("")
    return "created"


def quiet_attacks(port: int, path: str) -> dict[str, Callable[[], object]]:
    """By name; each returns something where it succeeds, and raises where it is refused."""
    parent = os.getppid()
    return {
        "own environment by /proc": lambda: _contents("/proc/self/environ") and "read",
        "environment of the parent": lambda: _contents(f"/proc/{parent}/environ"),
        "memory of the parent": lambda: _contents(f"/proc/{parent}/maps")[:20] and open(f"/proc/{parent}/mem", "rb"),
        "descriptors of the parent": lambda: os.listdir(f"/proc/{parent}/fd"),
        "memory of the parent by process_vm_readv": lambda: _copied(parent),
        "ptrace of the parent": lambda: _peeked(parent),
        "a file": lambda: _contents(path),
        "a new file": lambda: _written(f"{path}.new"),
        "a folder": lambda: os.listdir("/"),
        "TCP on loopback": lambda: _connected(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", port)),
        "UDP on loopback": lambda: _connected(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", port)),
        "a socket of the system": lambda: _connected(socket.AF_UNIX, socket.SOCK_STREAM, f"{path}.socket"),
        "a name": lambda: socket.getaddrinfo("localhost", port) and "resolved",
        "a process": _forked,
        "a program": lambda: subprocess.run(["/bin/true"], check=True) and "ran",
        "a thread": _threaded,
        "a signal to the parent": lambda: os.kill(parent, 0) or "sent",
        "a descriptor that was left open": lambda: os.write(LEAKED, b"x"),
        "standard error": lambda: os.write(2, b"x"),
        "memory with code in it": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
        "other limits": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3)) or "set",
        "a dump of its memory": lambda: _called({"x86_64": 157, "aarch64": 167}[MACHINE], 4, 1, 0, 0, 0),
        "a file in place of a closed one": lambda: os.close(2) or _contents(path),
    }


def run_quiet(port: int, path: str) -> str:
    """What came of each: "refused", or what was gained."""
    outcomes = {}
    for name, attack in quiet_attacks(port, path).items():
        try:
            outcomes[name] = str(attack())
        except Exception as error:
            outcomes[name] = f"refused: {type(error).__name__}"
    return json.dumps(outcomes)


def every_system_call() -> str:
    """The numbers of those that the filter lets through, tried with arguments that mean nothing."""
    try:
        os.listdir("/")
    except PermissionError:
        allowed = sandbox._PLATFORMS[MACHINE].calls
        numbers = set(range(600)) - set(allowed.values()) - OF_PROBES
        return json.dumps([number for number in sorted(numbers) if not _is_refused(number)])
    raise RuntimeError("there is no filter: this would call anything")


def _is_refused(number: int) -> bool:
    ctypes.set_errno(0)
    return LIBC.syscall(number, -1, -1, -1, -1, -1, -1) == -1 and ctypes.get_errno() == errno.EPERM


def _loop() -> str:
    while True:
        pass


def _flood() -> str:
    for _ in range(2 * reading.MAX_OUTPUT // 65_536):
        os.write(sandbox.ANSWER, b" " * 65_536)
    return "written"


LOUD: dict[str, Callable[[], str]] = {
    "its environment": lambda: " ".join(sorted(os.environ)),
    "is dumpable": lambda: str(LIBC.prctl(3, 0, 0, 0, 0)),
    "much memory": lambda: str(len(bytearray(2 * sandbox.MAX_MEMORY))),
    "much time": _loop,
    "much output": _flood,
    "a crash": lambda: str(ctypes.string_at(0)),
    "an end without an answer": lambda: os._exit(0),
    "every system call": every_system_call,
}


def child(mode: str, attacks: str, port: int, path: str) -> None:
    """Run reading.main() with a hostile parser."""
    # As after the start of a program by a user without rights; root's would not be.
    LIBC.prctl(4, 1, 0, 0, 0)
    if mode == "unfiltered":
        sandbox._filter_system_calls = lambda: False
    if mode == "free":
        sandbox.give_up_privileges = lambda cpu_seconds: None
        sandbox.enter_sandbox = lambda: True
    attack = LOUD.get(attacks, lambda: run_quiet(port, path))
    reading.text_of = lambda kind, data: attack()
    reading.main()


def parent(mode: str, attacks: str, port: str, path: str) -> None:
    """Read a file with the hostile child in place of the good one, and print what came of it."""
    started = subprocess.Popen
    # As of a user without rights, whom another process of theirs may read: root's rights are another guard.
    sandbox._drop_capabilities()
    if mode == "free":
        sandbox.hide_memory = lambda: None
    _, write_end = os.pipe()
    os.dup2(write_end, LEAKED, inheritable=True)

    def popen(command: list[str], **options: object) -> subprocess.Popen[bytes]:
        at = command.index("-m")
        changed = [*command[: at + 1], "tests.shared.knowledge.hostile", *command[at + 2 :]]
        return started([*changed, mode, attacks, port, path], pass_fds=(LEAKED,), **options)  # type: ignore[call-overload]

    subprocess.Popen = popen
    seconds = 1.0 if attacks == "much time" else 20.0
    try:
        answer = {"text": reading.words_of("txt", b"x", seconds, needs_filter=mode != "unfiltered")}
    except RefusedFileError as refused:
        answer = {"refused": refused.reason}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    if sys.argv[1] == "txt":
        child(sys.argv[-4], sys.argv[-3], int(sys.argv[-2]), sys.argv[-1])
    else:
        parent(*sys.argv[1:])
