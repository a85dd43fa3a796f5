"""What only the local project can do: change its database under a running server."""

from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest

from local.ports import free_port
from local.postgres import Cluster, temporary_cluster
from local.serve import serve
from local.supabase import SupabaseKeys, application, bootstrap, generate_keys


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with temporary_cluster() as made:
        made.create_database("empty")
        with psycopg.connect(made.dsn(database="empty")) as connection:
            bootstrap(connection)
        yield made


@pytest.fixture(scope="module")
def keys() -> SupabaseKeys:
    return generate_keys()


@pytest.fixture
def chosen() -> dict[str, str]:
    """The database that the server uses, by name; a test may change it."""
    return {"database": "empty"}


@pytest.fixture
def ask(cluster: Cluster, keys: SupabaseKeys, chosen: dict[str, str]) -> Iterator[Callable[..., httpx.Response]]:
    """Call the function `where` of the chosen database."""
    port = free_port()
    app = application(lambda role: cluster.dsn(role, chosen["database"]), keys, f"http://127.0.0.1:{port}", local=True)
    with serve(app, port) as url, httpx.Client(base_url=url, headers={"apikey": keys.publishable}) as client:
        yield lambda **arguments: client.post("/rest/v1/rpc/where", json={}, **arguments)


def create(cluster: Cluster, name: str) -> None:
    cluster.create_database(name, template="empty")
    with psycopg.connect(cluster.dsn("postgres", name)) as connection:
        connection.execute("create function public.where() returns text language sql as 'select current_database()'")


def test_the_database_can_be_switched_and_dropped(
    cluster: Cluster, ask: Callable[..., httpx.Response], chosen: dict[str, str]
) -> None:
    for name in ("one", "two", "one"):
        cluster.drop_database(name)
        create(cluster, name)
        chosen["database"] = name
        assert ask().json() == name
    cluster.drop_database("one")
    create(cluster, "one")
    assert ask().json() == "one", "a connection that the server ended is not used again"


def test_a_database_that_is_away(cluster: Cluster, ask: Callable[..., httpx.Response], chosen: dict[str, str]) -> None:
    create(cluster, "four")
    chosen["database"] = "four"
    assert ask().status_code == 200
    cluster.stop()
    answer = ask()
    assert (answer.status_code, answer.json()["code"]) == (503, "PGRST000")
    cluster.start()
    assert ask().json() == "four"


def test_a_failing_trigger_on_users(cluster: Cluster, keys: SupabaseKeys, chosen: dict[str, str]) -> None:
    create(cluster, "five")
    with psycopg.connect(cluster.dsn("postgres", "five")) as connection:
        connection.execute(
            "create function public.refuse() returns trigger language plpgsql as"
            " $$ begin raise exception 'no new users'; end $$;"
            "create trigger refuse before insert on auth.users for each row execute function public.refuse()"
        )
    port = free_port()
    app = application(lambda role: cluster.dsn(role, "five"), keys, f"http://127.0.0.1:{port}", local=True)
    with serve(app, port) as url:
        body = {"email": "a@b.co", "password": "secret1"}
        answer = httpx.post(f"{url}/auth/v1/signup", json=body, headers={"apikey": keys.publishable})
    assert (answer.status_code, answer.json()["error_code"]) == (500, "unexpected_failure")


def test_a_minted_token_cannot_be_more_than_the_api_roles(
    cluster: Cluster, keys: SupabaseKeys, ask: Callable[..., httpx.Response], chosen: dict[str, str]
) -> None:
    create(cluster, "six")
    chosen["database"] = "six"
    for role, status in (("service_role", 200), ("postgres", 403), ("supabase_admin", 403), ("nobody", 400)):
        token = keys.sign({"role": role, "exp": 2**40})
        assert ask(headers={"Authorization": f"Bearer {token}"}).status_code == status
