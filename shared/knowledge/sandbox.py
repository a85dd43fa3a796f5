"""What a process gives up before it parses a file from a stranger (docs/decisions/0019 says what holds where).

First, before anything is imported: no new privileges, no capabilities, no core, limits, and a memory that no process
of the same user may read. Then, with the parser imported and the file read: no descriptor but the answer's, and a
filter of system calls. Code that runs afterwards can compute, write to the answer, and end.

Specifications: prctl(2), seccomp(2), capset(2), linux/filter.h, linux/audit.h.
"""

import ctypes
import os
import platform
import resource
import struct
import sys
from typing import NamedTuple

MAX_MEMORY = 1024 * 1024 * 1024
# Where the child answers: its standard output.
ANSWER = 1

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 4, 38, 22, 2
_CAPABILITY_VERSION_3 = 0x20080522
_PROT_EXEC = 4
_HIGHEST_DESCRIPTOR = 1 << 20
_EPERM = 1


class _Platform(NamedTuple):
    """Numbers of one architecture: its AUDIT_ARCH, and the system calls by name."""

    audit: int
    calls: dict[str, int]


# What is left: memory, locks, the signals of the interpreter, time, randomness, the answer, the end.
# System call -> its number on x86-64, and on 64-bit ARM.
_CALLS = {
    "brk": (12, 214),
    "clock_gettime": (228, 113),
    "close": (3, 57),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "futex": (202, 98),
    "getrandom": (318, 278),
    "gettimeofday": (96, 169),
    "madvise": (28, 233),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_yield": (24, 124),
    "sigaltstack": (131, 132),
    "write": (1, 64),
}
_PLATFORMS = {
    "x86_64": _Platform(0xC000003E, {name: numbers[0] for name, numbers in _CALLS.items()}),
    "aarch64": _Platform(0xC00000B7, {name: numbers[1] for name, numbers in _CALLS.items()}),
}

# The others are allowed with certain arguments only.
_FREE = tuple(name for name in _CALLS if name not in ("mmap", "mprotect", "write"))

# Classic BPF over struct seccomp_data {int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]}.
_NUMBER, _ARCHITECTURE, _ARGUMENT_0, _ARGUMENT_2 = 0, 4, 16, 32
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | _EPERM, 0x80000000


def hide_memory() -> None:
    """Forbid processes of the same user to read this one's memory, environment and descriptors."""
    _prctl(_PR_SET_DUMPABLE, 0)


def give_up_privileges(cpu_seconds: int) -> None:
    """First half: everything that needs no imported parser. Raises OSError."""
    hide_memory()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _drop_capabilities()
    _limit(resource.RLIMIT_AS, MAX_MEMORY)
    # The kernel says "too slow" at the soft limit (SIGXCPU), and kills at the hard one.
    _limit(resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_MSGQUEUE, 0)


def enter_sandbox() -> bool:
    """Second half: only the answer stays open, and only harmless system calls are left.

    Returns whether the filter of system calls holds; it does not on another system, or where the platform forbids it.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 2):
        os.dup2(null, descriptor)
    os.closerange(3, _HIGHEST_DESCRIPTOR)
    # Not even in place of one that is closed.
    _limit(resource.RLIMIT_NOFILE, 0)
    # No process and no thread: what runs already is not counted again.
    _limit(resource.RLIMIT_NPROC, 0)
    return _filter_system_calls()


def _limit(kind: int, soft: int, hard: int | None = None) -> None:
    """Set a limit, or a lower one that is set already."""
    given = resource.getrlimit(kind)[1]
    most = soft if hard is None else hard
    if given != resource.RLIM_INFINITY:
        most = min(most, given)
    resource.setrlimit(kind, (min(soft, most), most))


def _prctl(*arguments: int) -> None:
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(*arguments, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _drop_capabilities() -> None:
    """Root's rights too, where the child runs as root (a laptop's container)."""
    if sys.platform != "linux":
        return
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    if ctypes.CDLL(None, use_errno=True).capset(header, ctypes.create_string_buffer(24)):
        raise OSError(ctypes.get_errno(), "capset")


def _filter_system_calls() -> bool:
    found = _PLATFORMS.get(platform.machine())
    if sys.platform != "linux" or found is None:
        return False
    program = _program(found)
    code = ctypes.create_string_buffer(program)
    # struct sock_fprog {unsigned short len; struct sock_filter *filter}
    pointer = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, pointer, 0, 0) == 0)


def _program(found: _Platform) -> bytes:
    """The filter: what is not named is EPERM; a call by another architecture's numbers ends the process."""
    calls = found.calls
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, found.audit, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
    ]
    for name in _FREE:
        steps += [_step(_EQUAL, calls[name], 0, 1), _step(_RETURN, _ALLOW)]
    # Memory may be had, but no memory with code in it.
    for name in ("mmap", "mprotect"):
        steps += [
            _step(_EQUAL, calls[name], 0, 4),
            _step(_LOAD, _ARGUMENT_2),
            _step(_ANY_BIT, _PROT_EXEC, 0, 1),
            _step(_RETURN, _REFUSE),
            _step(_RETURN, _ALLOW),
        ]
    steps += [
        _step(_EQUAL, calls["write"], 0, 3),
        _step(_LOAD, _ARGUMENT_0),
        _step(_EQUAL, ANSWER, 0, 1),
        _step(_RETURN, _ALLOW),
    ]
    return b"".join([*steps, _step(_RETURN, _REFUSE)])


def _step(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """struct sock_filter {__u16 code; __u8 jt; __u8 jf; __u32 k}"""
    return struct.pack("=HBBI", code, if_true, if_false, operand)
