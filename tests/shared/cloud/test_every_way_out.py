"""Every client of an outside service against every hostile server: refused by name, and in time."""

import ast
import base64
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared import clock
from shared.abuse import shared_rate
from shared.abuse.admission import Grant
from shared.assistant import model
from shared.clock import Deadline
from shared.cloud import functions, key_management, objects, parameters, queues, transport, upstash
from shared.cloud.queues import Wake
from shared.data import database
from shared.data.encryption import Sensitive
from shared.data.store import ChannelFacts, OutboxClaim, Recipient
from shared.data.user_store import UserStore
from shared.errors import Unavailable
from shared.guard.verify import session, signing_keys
from shared.guard.verify.signing_keys import SigningKeys
from shared.messaging import accounts, media, sending
from shared.safety.media import RefusedMediaError
from shared.settings import Secret, Setting
from tests.shared.cloud.hostile import HOSTILE, NO_JSON, Server, dribbling_tls, full_backlogs, resolve_to, silent

PROJECT = Path(__file__).resolve().parents[3]
SHARED = PROJECT / "shared"

SECONDS = 0.4
OVERRUN_SECONDS = 0.15
# A measurement on a busy machine is repeated. An overrun of the client's own would be there each time.
MEASUREMENTS = 4

WHATSAPP = ChannelFacts(kind="whatsapp", external_id="1", account_id="2", credential=None)
PAGE = ChannelFacts(kind="messenger", external_id="1", account_id=None, credential=None)
TOKEN = Sensitive("the token")
ARN = "arn:aws:kms:sa-east-1:123456789012:key/1"
BASES = {
    *(Setting.SUPABASE_URL, Setting.UPSTASH_REDIS_REST_URL, Setting.AI_BASE_URL, Setting.META_GRAPH_URL),
    *(Setting.INSTAGRAM_GRAPH_URL, Setting.MEDIA_HOSTS, Setting.AWS_ENDPOINT_URL),
}


def grant() -> Grant:
    granted = dict.fromkeys(("ai_microdollars", "ai_tokens", "embedding_tokens", "sends"), 10_000)
    return Grant("hold", granted, (), lambda ended: None)


def send_message(origin: str) -> None:
    """Sending never raises: the error of its outcome is raised here."""
    claim = OutboxClaim(
        state="claimed", text="hola", channel_id="1", recipient=Recipient(id="1", phone="5491155550101")
    )
    outcome = sending.send_message(claim, "1", TOKEN, grant(), Deadline(SECONDS))
    assert outcome.result in ("later", "unconfirmed")
    raise Unavailable(str(outcome.error))


def prepare(origin: str) -> None:
    """Of a secret that no other client reads."""
    parameters._failure = None
    parameters._cache.pop(Secret.CRON_SECRET, None)
    parameters.prepare([Secret.CRON_SECRET])


def enqueue(origin: str) -> None:
    queues.send("reply", [Wake({"conversation": "1"}, "1", "1")], SECONDS)


CLIENTS: dict[str, Callable[[str], object]] = {
    "assistant/model complete": lambda _: model.complete(
        [{"role": "user", "content": "x"}], grant(), Deadline(SECONDS)
    ),
    "assistant/model embed": lambda _: model.embed(["x"], grant(), Deadline(SECONDS)),
    "messaging/media fetch by id": lambda _: media.fetch(WHATSAPP, "1", TOKEN, 100_000, Deadline(SECONDS)),
    "messaging/media hand_over": lambda _: media.hand_over(WHATSAPP, "image/png", b"x", TOKEN, Deadline(SECONDS)),
    "messaging/sending": send_message,
    "messaging/accounts": lambda _: accounts.health_of(WHATSAPP, TOKEN, Deadline(SECONDS)),
    "data/database": lambda _: database.call("claim_turn", {}, Deadline(SECONDS)),
    "data/user_store": lambda _: UserStore("token", Deadline(SECONDS)).tenant("1"),
    "data/user_store rpc": lambda _: UserStore("token", Deadline(SECONDS)).search_knowledge("1", [1.0], "x", 1),
    "cloud/upstash": lambda _: upstash.run(["PING"], Deadline(SECONDS)),
    "abuse/shared_rate": lambda _: shared_rate.wait("x", 1, 1, Deadline(SECONDS)),
    "cloud/parameters": prepare,
    "cloud/queues": enqueue,
    "cloud/functions": lambda _: functions.invoke("reader", {}, SECONDS),
    "cloud/key_management": lambda _: key_management.wrap(b"x" * 32, {}, SECONDS),
    "guard/verify/session": lambda origin: session.verify_session("t", "u", f"{origin}/auth/v1", "key"),
    "guard/verify/signing_keys": lambda origin: SigningKeys(f"{origin}/keys.json").find("x", clock.now()),
}
# What they get is bytes or nothing, whatever it holds.
OF_BYTES: dict[str, Callable[[str], object]] = {
    "messaging/media fetch by address": lambda origin: media.fetch(
        PAGE, f"{origin}/1", None, 100_000, Deadline(SECONDS)
    ),
    "cloud/objects get": lambda _: objects.get("media", "1/1", SECONDS, 100_000),
    "cloud/objects put": lambda _: objects.put("media", "1/1", b"x", "image/png", SECONDS),
}
# Their modules call other clients of this list only.
INDIRECT = {"abuse/admission", "abuse/balances", "abuse/upkeep", "cloud/aws"}


def fill_secrets() -> None:
    for secret in Secret:
        parameters._cache[secret] = parameters._Cached(
            (("a-secret-of-at-least-32-bytes-....", float("inf")),), clock.now()
        )


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (Setting.AI_MODEL, Setting.EMBEDDING_MODEL):
        monkeypatch.setenv(name, "gpt-4o-mini" if name is Setting.AI_MODEL else "text-embedding-3-small")
    monkeypatch.setenv("KMS_KEY_ID", ARN)
    monkeypatch.setenv("LOCAL_KEY_FILE", "")
    for name in ("PARAMETER_PREFIX", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    for name in ("SUPABASE_PUBLISHABLE_KEY", "MEDIA_BUCKET"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setattr(parameters, "FETCH_SECONDS", SECONDS)
    monkeypatch.setattr(session, "ASK_SECONDS", SECONDS)
    monkeypatch.setattr(signing_keys, "FETCH_SECONDS", SECONDS)
    fill_secrets()
    yield
    parameters.forget()
    transport.forget()


def lead_to(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    """Every service is at `origin`."""
    for base in BASES:
        monkeypatch.setenv(base, origin)
    monkeypatch.setenv("REPLY_QUEUE_URL", f"{origin}/1/reply.fifo")


def measured(client: Callable[[str], object], origin: str) -> tuple[str, float]:
    """The name by which a client gave up, and after how many seconds."""
    began = time.monotonic()
    try:
        client(origin)
    except Unavailable as problem:
        return problem.name, time.monotonic() - began
    except RefusedMediaError as refused:
        return refused.reason, time.monotonic() - began
    return "", 0.0


def assert_refused_in_time(clients: dict[str, Callable[[str], object]], origin: str) -> dict[str, str]:
    """All clients at once, and those that were late again; the names by which they gave up."""
    late, names = clients, {}
    for _ in range(MEASUREMENTS):
        with ThreadPoolExecutor(len(late)) as pool:
            running = {name: pool.submit(measured, client, origin) for name, client in late.items()}
        results = {name: future.result() for name, future in running.items()}
        names |= {name: refused for name, (refused, _) in results.items()}
        late = {name: clients[name] for name, (_, seconds) in results.items() if seconds > SECONDS + OVERRUN_SECONDS}
        if not late:
            break
    assert not late
    # Named, and by nothing that the other side said.
    assert {name for name, refused in names.items() if not re.fullmatch(r"[a-zA-Z0-9_]+", refused)} == set()
    return names


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def begin(behave: Callable[[socket.socket, threading.Event], None]) -> Server:
        servers.append(Server(behave))
        lead_to(monkeypatch, servers[-1].origin)
        return servers[-1]

    yield begin
    for server in servers:
        server.close()


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_server_is_given_up_by_every_client(start, case):
    server = start(HOSTILE[case])
    assert_refused_in_time(CLIENTS | OF_BYTES, server.origin)
    assert server.connections >= len(CLIENTS | OF_BYTES)


@pytest.mark.parametrize("case", NO_JSON)
def test_what_is_no_json_is_refused_by_every_client_that_reads_json(start, case):
    assert_refused_in_time(CLIENTS, start(NO_JSON[case]).origin)


@pytest.mark.parametrize("case", ["hangs", "dribbles"])
def test_a_tls_handshake_is_bounded_as_a_whole(start, certificate, monkeypatch, case):
    server = start(silent if case == "hangs" else dribbling_tls(certificate))
    origin = server.origin.replace("http://127.0.0.1", "https://localhost")
    lead_to(monkeypatch, origin)
    assert_refused_in_time(CLIENTS | OF_BYTES, origin)
    assert server.connections >= 1


def test_a_name_that_hangs_is_bounded_and_looked_up_once(monkeypatch):
    end, lookups = threading.Event(), []

    def hang(*arguments: object, **options: object) -> list[object]:
        lookups.append(arguments)
        assert end.wait(10)
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    lead_to(monkeypatch, "https://hangs.example")
    try:
        assert_refused_in_time(CLIENTS | OF_BYTES, "https://hangs.example")
        assert lookups == [("hangs.example", 443)]
    finally:
        end.set()


def test_many_dead_addresses_share_the_time(monkeypatch):
    with full_backlogs(8) as addresses:
        resolve_to(monkeypatch, addresses)
        lead_to(monkeypatch, "https://dead.example")
        assert_refused_in_time(CLIENTS | OF_BYTES, "https://dead.example")


def _calls_out(path: Path) -> bool:
    calls = {"transport.send", "aws.call_json", "aws.signed", "upstash.run", "run_script", "upstash.run_script"}
    calls |= {"signed", "call_json"}
    return any(
        isinstance(node, ast.Call) and ast.unparse(node.func) in calls for node in ast.walk(ast.parse(path.read_text()))
    )


def test_the_list_of_clients_is_complete():
    calling = {str(path.relative_to(SHARED).with_suffix("")) for path in SHARED.rglob("*.py") if _calls_out(path)}
    listed = {name.partition(" ")[0] for name in CLIENTS | OF_BYTES}
    assert calling - INDIRECT == listed, (
        "You are here because a module calls an outside service: add it to CLIENTS, so that hostile servers meet it."
    )


# By module: what it may import for a reason.
SOCKETS = {
    "shared/cloud/sockets.py": {"socket", "ssl"},
    "shared/cloud/http1.py": {"socket", "ssl"},
    "shared/cloud/transport.py": {"ssl"},
    # inet_pton alone: it reads an address and opens nothing.
    "shared/abuse/local_rate.py": {"socket"},
    # postgrest takes an httpx client. Its transport is ours.
    "shared/data/user_store.py": {"httpx"},
    # Error reports: sentry's own client, in a thread of its own, after the response.
    "shared/privacy/monitoring.py": {"sentry_sdk"},
}
FORBIDDEN = {
    *("socket", "ssl", "http", "urllib.request", "urllib3", "httpx", "httpcore", "requests", "aiohttp", "boto3"),
    *("botocore", "upstash_redis", "redis", "supabase", "storage3", "smtplib", "ftplib", "socketserver", "asyncio"),
    *("websockets", "h11", "h2", "anyio", "sentry_sdk", "openai", "psycopg", "xmlrpc", "telnetlib", "imaplib"),
}


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_there_is_one_way_out():
    found: dict[str, set[str]] = {}
    for path in (path for folder in ("shared", "functions") for path in (PROJECT / folder).rglob("*.py")):
        parts = {prefix for name in _imports(path) for prefix in (name.partition(".")[0], name)}
        if imported := parts & FORBIDDEN:
            found[str(path.relative_to(PROJECT))] = imported
    assert found == SOCKETS, (
        "You are here because a module opens connections by itself: call shared/cloud/transport.py."
    )


def test_a_key_that_kms_does_not_wrap_in_its_form_is_refused_by_name(monkeypatch):
    for answer in ({}, {"KeyId": ARN, "CiphertextBlob": 1}):
        monkeypatch.setattr(key_management.aws, "call_json", lambda *_, answer=answer: answer)
        with pytest.raises(Unavailable, match="kms_malformed"):
            key_management.wrap(b"x" * 32, {}, 1)
    for plaintext in (None, 1, "no base64", [], base64.b64encode(b"x" * 32).decode() + "\n"):
        monkeypatch.setattr(key_management.aws, "call_json", lambda *_, plaintext=plaintext: {"Plaintext": plaintext})
        with pytest.raises(Unavailable, match="kms_malformed"):
            key_management.unwrap(f"kms1 {ARN} x", {}, 1)
