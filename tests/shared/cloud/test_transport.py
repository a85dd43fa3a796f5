"""Against real sockets: every wait ends in time, and a kept connection is used again."""

import gzip
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from shared.cloud import sockets, transport
from shared.cloud.destinations import Aws
from shared.errors import Unavailable
from shared.settings import Setting, is_url, read_list
from tests.shared.cloud.hostile import Behave, Server, resolve_to, silent

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture
def start(monkeypatch) -> Iterator[Callable[[Behave], Server]]:
    servers: list[Server] = []

    def begin(behave: Behave) -> Server:
        servers.append(Server(behave))
        ports = [server.port for server in servers]
        origins = [f"http://127.0.0.1:{port} https://localhost:{port} https://named.example:{port}" for port in ports]
        monkeypatch.setenv("MEDIA_HOSTS", " ".join(origins))
        return servers[-1]

    yield begin
    for server in servers:
        server.close()
    transport.forget()


def answering(connection: socket.socket, end: threading.Event) -> None:
    while connection.recv(65536):
        connection.sendall(ANSWER)


def answering_once(connection: socket.socket, end: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(ANSWER)


def dribbling(connection: socket.socket, end: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not end.wait(0.02):
        connection.sendall(b"x")


def babbling(connection: socket.socket, end: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(b"no http at all\r\n\r\n")


def endless(connection: socket.socket, end: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
    while not end.is_set():
        connection.sendall(b"x" * 1_000_000)


def send(
    method: str, url: str, headers: dict[str, str] | None = None, body: bytes = b"", seconds: float = 2, **more: bool
) -> transport.Answer:
    return transport.send(Setting.MEDIA_HOSTS, method, url, headers or {}, body, seconds, max_bytes=1_000_000, **more)


def get(server: Server, seconds: float = 2.0) -> transport.Answer:
    return send("GET", server.url, seconds=seconds)


def test_a_connection_is_kept_and_used_again(start):
    server = start(answering)
    assert [get(server).body for _ in range(3)] == [b"hello"] * 3
    assert server.connections == 1


def test_a_connection_closed_while_idle_is_opened_again(start):
    server = start(answering_once)
    assert [get(server).body for _ in range(3)] == [b"hello"] * 3
    assert server.connections == 3


def test_a_connection_found_closed_before_anything_left_is_no_try(start):
    server = start(answering_once)
    for tries in range(1, 4):
        assert send("GET", server.url, repeat=False).body == b"hello"
        assert server.connections == tries
        [kept] = transport._kept.values()
        select.select([kept._socket], [], [], 2)


@pytest.mark.parametrize(
    ("behave", "name"),
    [
        (silent, "upstream_timeout"),
        (dribbling, "upstream_timeout"),
        (babbling, "upstream_BadAnswer"),
        (endless, "upstream_answer_too_large"),
    ],
)
def test_whatever_the_other_side_does_there_is_an_end(start, behave, name):
    server = start(behave)
    began = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        get(server, seconds=0.3 if name == "upstream_timeout" else 5)
    assert caught.value.name == name
    assert time.monotonic() - began < 3


def test_nobody_there_is_unavailable(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("AI_BASE_URL", f"http://127.0.0.1:{port}")
    with pytest.raises(transport.NotSent) as caught:
        transport.send(Setting.AI_BASE_URL, "GET", f"http://127.0.0.1:{port}/", {}, b"", 1, max_bytes=1)
    assert caught.value.name == "upstream_connect_ConnectionRefusedError"


def test_no_time_left_is_unavailable_at_once(start):
    server = start(answering)
    with pytest.raises(transport.NotSent, match="upstream_timeout"):
        get(server, seconds=0)
    assert server.connections == 0


def over_tls(certificate, behaves: Behave | None = None) -> Behave:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def behave(connection: socket.socket, end: threading.Event) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            (behaves or answering)(secured, end)

    return behave


def test_a_trusted_certificate_is_talked_to_and_the_connection_kept(start, certificate, monkeypatch):
    monkeypatch.setattr(transport, "tls", lambda: ssl.create_default_context(cafile=str(certificate)))
    server = start(over_tls(certificate))
    url = server.url.replace("http://127.0.0.1", "https://localhost")
    assert [send("POST", url, {}, b"body").body for _ in range(2)] == [b"hello"] * 2
    assert server.connections == 1


def test_an_untrusted_certificate_is_not(start, certificate):
    server = start(over_tls(certificate))
    with pytest.raises(Unavailable) as caught:
        send("POST", server.url.replace("http://127.0.0.1", "https://localhost"), {}, b"body")
    assert caught.value.name == "upstream_connect_SSLCertVerificationError"


def test_head_and_body_leave_in_one_piece(start):
    pieces: list[bytes] = []

    def listening(connection: socket.socket, end: threading.Event) -> None:
        while piece := connection.recv(65536):
            pieces.append(piece)
            connection.sendall(ANSWER)

    server = start(listening)
    assert send("POST", server.url, {"x-name": "value"}, b"the body").body == b"hello"
    assert len(pieces) == 1
    assert pieces[0].startswith(b"POST /x HTTP/1.1\r\n")
    assert pieces[0].endswith(b"\r\n\r\nthe body")


def encoded(connection: socket.socket, end: threading.Event) -> None:
    body = gzip.compress(b"hello")
    while connection.recv(65536):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )


def test_a_body_that_is_compressed_is_refused_by_name(start):
    with pytest.raises(Unavailable, match="upstream_answer_encoded"):
        get(start(encoded))
    assert get(start(answering)).body == b"hello"


def test_a_request_that_would_break_in_two_is_not_sent(start):
    server = start(answering)
    with pytest.raises(transport.NotSent, match="upstream_request_malformed"):
        send("GET", server.url, {"x": "1\r\ny: 2"})
    assert send("GET", server.url, {"x": "1"}).body == b"hello"


def test_a_redirect_is_an_answer_and_is_not_followed(start):
    server = start(answering)

    def redirecting(connection: socket.socket, end: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % server.url.encode())

    answer = get(start(redirecting))
    assert (answer.status, answer.headers["location"], server.connections) == (302, server.url, 0)


def test_a_request_that_is_not_taken_is_given_up_in_time(start):
    server = start(silent)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="upstream_timeout"):
        send("POST", server.url, body=bytes(50_000_000), seconds=0.3)
    assert time.monotonic() - began < 3


def test_a_kept_connection_needs_no_name_and_no_thread(start, monkeypatch):
    server = start(answering)
    lookups: list[object] = []
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **options: lookups.append(arguments) or found)
    monkeypatch.setattr(transport, "admitted", lambda to, url: address)
    address = transport.Address("http", "named.example", server.port, f"named.example:{server.port}", "/x")
    assert get(server).body == b"hello"
    threads = threading.active_count()
    assert get(server).body == b"hello"
    assert (len(lookups), threading.active_count() - threads, server.connections) == (1, 0, 1)


def test_a_dead_address_does_not_use_up_the_time_of_one_that_answers(start, monkeypatch):
    server = start(answering)
    monkeypatch.setattr(transport, "admitted", lambda to, url: address)
    address = transport.Address("http", "named.example", server.port, f"named.example:{server.port}", "/x")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = closed.getsockname()
    resolve_to(monkeypatch, [dead, ("127.0.0.1", server.port)])
    assert get(server).body == b"hello"


def test_a_name_that_is_none_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("AI_BASE_URL", "https://" + "x" * 70 + ".example")
    with pytest.raises(transport.NotSent, match="upstream_connect_OSError"):
        transport.send(Setting.AI_BASE_URL, "GET", "https://" + "x" * 70 + ".example/", {}, b"", 1, max_bytes=1)


def test_names_that_hang_hold_a_bounded_number_of_threads(monkeypatch):
    end = threading.Event()

    def hang(*arguments: object, **options: object) -> list[object]:
        assert end.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    names = []
    for number in range(sockets.MAX_LOOKUPS + 2):
        monkeypatch.setenv("AI_BASE_URL", f"https://{number}.example")
        with pytest.raises(transport.NotSent) as caught:
            transport.send(Setting.AI_BASE_URL, "GET", f"https://{number}.example/", {}, b"", 0.01, max_bytes=1)
        names.append(caught.value.name)
    lookups = list(sockets._lookups.values())
    end.set()
    for lookup in lookups:
        lookup.join(10)
    busy = "upstream_connect_LookupsBusy"
    assert names == ["upstream_connect_TimeoutError"] * sockets.MAX_LOOKUPS + [busy] * 2
    assert sockets._lookups == {}


def test_no_more_connections_are_kept_than_are_used(start):
    servers = [start(answering) for _ in range(transport.MAX_KEPT + 2)]
    for server in servers:
        assert get(server).body == b"hello"
    assert len(transport._kept) == transport.MAX_KEPT
    assert [get(server).body for server in servers[2:]] == [b"hello"] * transport.MAX_KEPT
    assert sum(server.connections for server in servers) == len(servers)


@pytest.mark.parametrize(
    ("url", "is_admitted"),
    [
        ("https://sqs.sa-east-1.amazonaws.com/1/x.fifo", True),
        ("https://sqs.us-east-1.amazonaws.com/1/x.fifo", False),
        ("https://ssm.sa-east-1.amazonaws.com/", False),
        ("https://sqs.sa-east-1.amazonaws.com.evil.example/", False),
        ("https://evil.example/?https://sqs.sa-east-1.amazonaws.com/", False),
        ("http://sqs.sa-east-1.amazonaws.com/", False),
        ("https://sqs.sa-east-1.amazonaws.com:8443/", False),
        ("https://key@sqs.sa-east-1.amazonaws.com/", False),
        ("https://SQS.sa-east-1.amazonaws.com/", False),
    ],
)
def test_a_call_goes_to_its_own_service_only(monkeypatch, url, is_admitted):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    monkeypatch.setenv("AWS_REGION", "sa-east-1")
    called: list[str] = []

    def connect(host: str, *rest: object) -> socket.socket:
        called.append(host)
        raise ConnectionRefusedError

    monkeypatch.setattr(transport, "open_socket", connect)
    with pytest.raises(transport.NotSent) as caught:
        transport.send(Aws("sqs"), "POST", url, {}, b"", 1, max_bytes=1)
    expected = "upstream_connect_ConnectionRefusedError" if is_admitted else "upstream_foreign_address"
    assert (caught.value.name, called) == (expected, ["sqs.sa-east-1.amazonaws.com"] * is_admitted)


@pytest.mark.parametrize(
    ("value", "is_admitted"),
    [
        ("https://x.example", True),
        ("https://x.example:8443/v1", True),
        ("http://127.0.0.1:8700", True),
        ("http://localhost:8700/v1", True),
        *[
            (malformed, False)
            for malformed in (
                *(
                    "x.example",
                    "http://x.example",
                    "ftp://x.example",
                    "https://",
                    "https://x.example/",
                    "HTTPS://x.example",
                ),
                *("https://x.example?x=1", "https://x.example#x", "https://u:p@x.example", "https://x.example:0"),
                *(
                    "https://x.example:99999",
                    "https://x.example:",
                    "https://x.exa mple",
                    "https://X.example",
                    "https://[::1]",
                ),
                *(
                    "http://127.0.0.1.evil.example",
                    "https://x.example\\y",
                    "https://-x.example",
                    "https://x..",
                    "//x.example",
                ),
            )
        ],
    ],
)
def test_a_setting_that_is_no_address_is_refused_by_name(start, monkeypatch, value, is_admitted):
    monkeypatch.setenv("AI_BASE_URL", value)
    monkeypatch.setattr(transport, "open_socket", lambda *arguments: (_ for _ in ()).throw(ConnectionRefusedError()))
    with pytest.raises(Unavailable) as caught:
        transport.send(Setting.AI_BASE_URL, "GET", f"{value}/models", {}, b"", 1, max_bytes=1)
    if is_admitted:
        assert caught.value.name == "upstream_connect_ConnectionRefusedError"
    else:
        assert caught.value.name in ("setting_malformed_AI_BASE_URL", "upstream_foreign_address")
        with pytest.raises(Unavailable, match="setting_malformed_AI_BASE_URL"):
            transport.send(Setting.AI_BASE_URL, "GET", "https://x.example/models", {}, b"", 1, max_bytes=1)


@pytest.mark.parametrize("value", ["https://a.example https://b.example/x", "https://*.b.example/x", "*", "https://*"])
def test_a_list_of_hosts_holds_origins_only(monkeypatch, value):
    monkeypatch.setenv("MEDIA_HOSTS", value)
    with pytest.raises(Unavailable, match="setting_malformed_MEDIA_HOSTS"):
        send("GET", "https://a.example/x")


@pytest.mark.parametrize("region", ["evil.example/x", "evil.example#", "x.evil", "sa-east-1.evil.example:8443/?"])
def test_a_region_that_is_none_leads_nowhere(monkeypatch, region):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    monkeypatch.setenv("AWS_REGION", region)
    with pytest.raises(Unavailable, match="setting_malformed_AWS_REGION"):
        transport.send(Aws("sqs"), "POST", "https://sqs.sa-east-1.amazonaws.com/", {}, b"", 1, max_bytes=1)


@pytest.mark.parametrize(
    ("value", "urls"),
    [
        ("", []),
        (
            "https://a.example/auth/v1  https://b.example/auth/v1",
            ["https://a.example/auth/v1", "https://b.example/auth/v1"],
        ),
        ("https://a.example/auth/v1,https://b.example/auth/v1", None),
        ("https://a.example/auth/v1 b.example", None),
        ("http://a.example/auth/v1", None),
    ],
)
def test_a_list_of_addresses_is_divided_by_spaces_and_whole(monkeypatch, value, urls):
    monkeypatch.setenv("SUPABASE_ISSUERS", value)
    if urls is None:
        with pytest.raises(Unavailable, match="setting_malformed_SUPABASE_ISSUERS"):
            list(read_list(Setting.SUPABASE_ISSUERS, is_url))
    else:
        assert list(read_list(Setting.SUPABASE_ISSUERS, is_url)) == urls


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"])
@pytest.mark.parametrize("is_cut", [False, True])
def test_a_body_without_a_length_is_whole_only_if_tls_says_so(start, certificate, monkeypatch, head, is_cut):
    monkeypatch.setattr(transport, "tls", lambda: ssl.create_default_context(cafile=str(certificate)))

    def ending(connection: socket.socket, end: threading.Event) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        connection.recv(65536)
        connection.sendall(head + b"hello")
        if is_cut:
            connection.shutdown(socket.SHUT_RDWR)
        else:
            connection.unwrap()

    url = start(over_tls(certificate, ending)).url.replace("http://127.0.0.1", "https://localhost")
    if is_cut and b"Length" not in head:
        with pytest.raises(Unavailable, match="upstream_BadAnswer"):
            send("GET", url)
    else:
        assert send("GET", url).body == b"hello"
