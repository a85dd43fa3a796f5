"""The private PostgreSQL: it starts, keeps, clones, refuses in plain words, and leaves nothing running."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from local import postgres_install
from local.ports import free_port
from local.postgres import Cluster, temporary_cluster
from local.postgres_install import PostgresError

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 20.0


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    with temporary_cluster() as cluster:
        yield cluster


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's account can enter; pytest's own is closed to others."""
    made = Path(tempfile.mkdtemp(prefix="portero test "))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def initialised() -> Iterator[Path]:
    """A data folder of version 16 with the password `secret`, made once."""
    made = Path(tempfile.mkdtemp(prefix="portero test "))
    made.chmod(0o711)
    cluster = Cluster(made, free_port(), "secret")
    cluster.start()
    cluster.stop()
    yield cluster.data
    shutil.rmtree(made)


@pytest.fixture
def new_cluster(folder: Path, initialised: Path) -> Iterator[Callable[..., Cluster]]:
    """Clusters on one folder with initialised data, stopped at the end."""
    made: list[Cluster] = []
    subprocess.run(["cp", "-a", initialised, folder], check=True)

    def make(password: str = "secret", version: str = "16") -> Cluster:
        made.append(Cluster(folder, free_port(), password, version))
        return made[-1]

    yield make
    for cluster in made:
        cluster.stop()


def ask(cluster: Cluster, question: str, role: str = "supabase_admin", database: str = "postgres") -> object:
    with psycopg.connect(cluster.dsn(role, database), autocommit=True) as connection:
        row = connection.execute(question).fetchone()
        return row[0] if row else None


def server_of(cluster: Cluster) -> psutil.Process:
    return psutil.Process(int((cluster.data / "postmaster.pid").read_text().splitlines()[0]))


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_it_listens_on_loopback_only(running: Cluster) -> None:
    process = server_of(running)
    listening = [entry.laddr for entry in process.net_connections("inet") if entry.status == psutil.CONN_LISTEN]
    assert [(address.ip, address.port) for address in listening] == [("127.0.0.1", running.port)]
    assert [entry for entry in process.net_connections("unix") if entry.laddr] == []


def test_it_is_never_root(running: Cluster) -> None:
    assert server_of(running).uids().real != 0


def test_a_password_is_needed(running: Cluster) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(running.dsn().replace(running.password, "wrong"))


def test_settings(running: Cluster) -> None:
    assert ask(
        running,
        "select array_agg(current_setting(name)) from unnest("
        "'{TimeZone,server_encoding,fsync,password_encryption}'::text[]) name",
    ) == [
        "UTC",
        "UTF8",
        "off",
        "scram-sha-256",
    ]


def test_clones(running: Cluster) -> None:
    running.create_database("model")
    with psycopg.connect(running.dsn(database="model")) as connection:
        connection.execute("create table kept as select 7 as id")
        connection.execute("create role somebody")
        connection.execute("alter database model owner to somebody")
    running.create_database("copy", template="model")
    assert ask(running, "select id from kept", database="copy") == 7
    assert ask(running, "select pg_get_userbyid(datdba) from pg_database where datname = 'copy'") == "somebody"
    with psycopg.connect(running.dsn(database="copy")):
        running.drop_database("copy")
    assert ask(running, "select count(*) from pg_database where datname = 'copy'") == 0
    running.drop_database("copy")


@pytest.mark.parametrize("version", ["16", "18"])
def test_data_survive_a_restart(new_cluster: Callable[..., Cluster], version: str) -> None:
    cluster = new_cluster(version=version)
    cluster.start()
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        assert str(connection.info.server_version).startswith(version)
        connection.execute("create table kept as select 7 as id")
    cluster.stop()
    cluster.stop()
    assert not (cluster.data / "postmaster.pid").exists()
    cluster.start()
    assert ask(cluster, "select id from kept") == 7
    with pytest.raises(PostgresError, match="running already"):
        cluster.start()


def test_an_unknown_version(folder: Path) -> None:
    with pytest.raises(PostgresError, match="PostgreSQL 12 is not in the wheel"):
        Cluster(folder, 1, "secret", "12")


def test_a_busy_port(new_cluster: Callable[..., Cluster]) -> None:
    cluster = new_cluster()
    with (
        socket.create_server(("127.0.0.1", cluster.port)),
        pytest.raises(PostgresError, match=f"Port {cluster.port} on 127.0.0.1 is in use"),
    ):
        cluster.start()
    cluster.start()


def test_one_owner_a_folder(new_cluster: Callable[..., Cluster]) -> None:
    first, second = new_cluster(), new_cluster()
    first.start()
    with pytest.raises(PostgresError, match="Another process runs the PostgreSQL of"):
        second.start()
    assert ask(first, "select 1") == 1


def test_another_password(new_cluster: Callable[..., Cluster]) -> None:
    first, second = new_cluster(), new_cluster(password="other")
    first.start()
    first.stop()
    with pytest.raises(PostgresError, match="made with another password"):
        second.start()


def test_a_failing_start_shows_the_last_words(new_cluster: Callable[..., Cluster]) -> None:
    cluster = new_cluster()
    cluster.start()
    cluster.stop()
    (cluster.data / "global" / "pg_control").unlink()
    with pytest.raises(PostgresError, match=r"(?s)ended. Its last words:.*pg_control"):
        cluster.start()


def test_an_orphan_is_stopped(new_cluster: Callable[..., Cluster]) -> None:
    first, second = new_cluster(), new_cluster()
    first.start()
    orphan = server_of(first)
    # What a killed starter leaves behind: a running server, and a lock that nobody holds.
    assert first._lock is not None
    os.close(first._lock)
    first._lock = None
    second.start()
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
    assert ask(second, "select 1") == 1


def test_a_stale_pid_file_harms_nobody(new_cluster: Callable[..., Cluster]) -> None:
    cluster = new_cluster()
    cluster.start()
    cluster.stop()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as innocent:
        (cluster.data / "postmaster.pid").write_text(f"{innocent.pid}\n{cluster.data}\n")
        cluster.start()
        assert ask(cluster, "select 1") == 1
        assert innocent.poll() is None
        innocent.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
def test_it_dies_with_its_starter(folder: Path) -> None:
    program = (
        "import pathlib, sys; from local.postgres import Cluster\n"
        "cluster = Cluster(pathlib.Path(sys.argv[1]), int(sys.argv[2]), 'secret'); cluster.start()\n"
        "print((cluster.data / 'postmaster.pid').read_text().splitlines()[0], flush=True); input()"
    )
    command = [sys.executable, "-c", program, str(folder), str(free_port())]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        server = psutil.Process(int(starter.stdout.readline()))
        starter.send_signal(signal.SIGKILL)
    wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends the server another account")
class TestAsRoot:
    """A project that the unprivileged account cannot enter."""

    @pytest.fixture(autouse=True)
    def shelter(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(postgres_install, "SHELTER", folder)
        return folder

    def test_the_data_move_out(self, tmp_path: Path, shelter: Path) -> None:
        tmp_path.chmod(0o700)
        cluster = Cluster(tmp_path / "deep", free_port(), "secret")
        cluster.start()
        cluster.stop()
        assert cluster.home.parent == shelter
        assert cluster.data.stat().st_mode & 0o777 == 0o700
        assert list((tmp_path / "deep").iterdir()) == []
        os.chown(cluster.home, 12345, 12345)
        with pytest.raises(PostgresError, match="belongs to somebody else"):
            cluster.start()

    def test_the_binaries_move_out(self, shelter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        package = postgres_install._package()
        monkeypatch.setattr(postgres_install, "can_enter", lambda _, path: package not in path.parents)
        cluster = Cluster(shelter / "own", free_port(), "secret")
        cluster.start()
        try:
            assert shelter in Path(server_of(cluster).exe()).parents
            assert ask(cluster, "select 1") == 1
        finally:
            cluster.stop()


def test_no_account_to_lend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_install, "ACCOUNTS", ("no-such-account",))
    with pytest.raises(PostgresError, match="no account no-such-account exists"):
        postgres_install.unprivileged_account()


@pytest.mark.parametrize(("mode", "passes"), [(0o700, False), (0o711, True), (0o755, True), (0o744, False)])
def test_who_may_enter(tmp_path: Path, mode: int, passes: bool) -> None:
    entrance = tmp_path / "a"
    (entrance / "b").mkdir(parents=True)
    (entrance / "b").chmod(0o711)
    entrance.chmod(mode)
    stranger = postgres_install.Account(54321, 54321)
    assert postgres_install._may_pass(stranger, entrance.stat()) is passes
    assert not passes or postgres_install._may_pass(stranger, (entrance / "b").stat())
