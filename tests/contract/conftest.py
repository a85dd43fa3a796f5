"""What supabase-py expects of a Supabase project: run on the local gateway, or unchanged on a hosted project.

For a hosted project set SUPABASE_CONTRACT_URL, SUPABASE_CONTRACT_PUBLISHABLE_KEY and SUPABASE_CONTRACT_SECRET_KEY,
and apply tests/contract/schema.sql there first. Use a project that serves nothing else: the suite makes and deletes
users. Tests that move the clock or ask for what only the local gateway lacks are skipped there. Run those one at a
time (`-p no:xdist`): the hosted service limits sign-ins by address.
"""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest
from supabase import Client, ClientOptions, create_client

from local.ports import free_port
from local.postgres import temporary_cluster
from local.serve import serve
from local.supabase import application, bootstrap, generate_keys

SCHEMA = Path(__file__).with_name("schema.sql")
PASSWORD = "correct horse 7 battery"
VARIABLES = ("SUPABASE_CONTRACT_URL", "SUPABASE_CONTRACT_PUBLISHABLE_KEY", "SUPABASE_CONTRACT_SECRET_KEY")


@dataclass
class Target:
    """The project under test; `ahead` moves the clock of the local one, in seconds."""

    url: str
    publishable: str
    secret: str
    hosted: bool
    ahead: float = 0.0
    transport: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))

    def now(self) -> float:
        return time.time() + self.ahead


@pytest.fixture(scope="session")
def target() -> Iterator[Target]:
    """The hosted project of the environment, or a local one over a fresh PostgreSQL."""
    if os.environ.get(VARIABLES[0]):
        yield Target(*(os.environ[name] for name in VARIABLES), hosted=True)
        return
    with temporary_cluster() as cluster:
        with psycopg.connect(cluster.dsn()) as connection:
            bootstrap(connection)
        with psycopg.connect(cluster.dsn("postgres")) as connection:
            connection.execute(SCHEMA.read_text())
        keys, port = generate_keys(), free_port()
        local = Target(f"http://127.0.0.1:{port}", keys.publishable, keys.secret, hosted=False)
        with serve(application(cluster.dsn, keys, local.url, clock=local.now, local=True), port):
            yield local


@pytest.fixture
def move_clock(target: Target) -> Iterator[Callable[[float], None]]:
    """Move the clock of the local project forward by seconds; back at the end."""
    if target.hosted:
        pytest.skip("the clock of a hosted project does not move")

    def move(seconds: float) -> None:
        target.ahead += seconds

    yield move
    target.ahead = 0.0


@pytest.fixture
def open_client(target: Target) -> Callable[[str], Client]:
    """A client of its own for an API key."""

    def open_with(key: str) -> Client:
        options = ClientOptions(auto_refresh_token=False, httpx_client=target.transport)
        return create_client(target.url, key, options)

    return open_with


@pytest.fixture
def anon(target: Target, open_client: Callable[[str], Client]) -> Client:
    """A client with the publishable key and no user."""
    return open_client(target.publishable)


@pytest.fixture
def service(target: Target, open_client: Callable[[str], Client]) -> Client:
    """A client with the secret key."""
    return open_client(target.secret)


@pytest.fixture
def new_email(service: Client) -> Iterator[Callable[[], str]]:
    """A fresh address at each call; the users that got one are deleted at the end."""
    given: list[str] = []

    def make() -> str:
        given.append(f"contract-{uuid.uuid4().hex[:12]}@example.com")
        return given[-1]

    yield make
    for user in service.auth.admin.list_users(per_page=1000):
        if user.email in given:
            service.auth.admin.delete_user(user.id)


@pytest.fixture
def new_person(
    target: Target, service: Client, open_client: Callable[[str], Client], new_email: Callable[[], str]
) -> Callable[[], Client]:
    """The client of a fresh user who is signed in with PASSWORD."""

    def make() -> Client:
        email = new_email()
        service.auth.admin.create_user({"email": email, "password": PASSWORD, "email_confirm": True})
        client = open_client(target.publishable)
        client.auth.sign_in_with_password({"email": email, "password": PASSWORD})
        return client

    return make


@pytest.fixture
def person(new_person: Callable[[], Client]) -> Client:
    """The client of one signed-in user."""
    return new_person()


@pytest.fixture
def request_raw(target: Target) -> Callable[..., httpx.Response]:
    """One HTTP request without supabase-py: (method, path, key, **arguments of httpx)."""

    def send(method: str, path: str, key: str | None, **arguments: object) -> httpx.Response:
        headers = {"apikey": key} if key else {}
        headers |= arguments.pop("headers", {})  # type: ignore[arg-type]
        return target.transport.request(method, target.url + path, headers=headers, **arguments)  # type: ignore[arg-type]

    return send
