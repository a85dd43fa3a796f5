"""Against real sockets: every wait ends in time, and a kept connection is used again."""

import datetime
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.cloud import transport
from shared.errors import Unavailable

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Server:
    """Accepts connections and does with each what it is told; counts them."""

    def __init__(self, behave: Callable[[socket.socket, threading.Event], None]) -> None:
        self.connections = 0
        self.end = threading.Event()
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/x"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self.end.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._behave(connection, self.end)
            except OSError:
                return

    def close(self) -> None:
        self.end.set()
        self._listener.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def begin(behave: Callable[[socket.socket, threading.Event], None]) -> Server:
        servers.append(Server(behave))
        return servers[-1]

    yield begin
    for server in servers:
        server.close()
    transport._kept.clear()


def answering(connection: socket.socket, end: threading.Event) -> None:
    while connection.recv(65536):
        connection.sendall(ANSWER)


def answering_once(connection: socket.socket, end: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(ANSWER)


def silent(connection: socket.socket, end: threading.Event) -> None:
    end.wait(10)


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


def get(server: Server, seconds: float = 2.0) -> transport.Answer:
    return transport.send("GET", server.url, {}, b"", seconds)


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
        assert transport.send("GET", server.url, {}, b"", 2, repeat=False).body == b"hello"
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


def test_nobody_there_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unavailable) as caught:
        transport.send("GET", f"http://127.0.0.1:{port}/", {}, b"", 1)
    assert caught.value.name == "upstream_connect_ConnectionRefusedError"


def test_no_time_left_is_unavailable_at_once(start):
    server = start(answering)
    with pytest.raises(Unavailable):
        get(server, seconds=0)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with the key and the certificate of "localhost"."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    signed = built.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False).sign(
        key, hashes.SHA256()
    )
    pem = serialization.Encoding.PEM
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(pem)
    )
    return path


def over_tls(certificate) -> Callable[[socket.socket, threading.Event], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def behave(connection: socket.socket, end: threading.Event) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            answering(secured, end)

    return behave


def test_a_trusted_certificate_is_talked_to_and_the_connection_kept(start, certificate, monkeypatch):
    monkeypatch.setattr(transport, "tls", lambda: ssl.create_default_context(cafile=str(certificate)))
    server = start(over_tls(certificate))
    url = server.url.replace("http://127.0.0.1", "https://localhost")
    assert [transport.send("POST", url, {}, b"body", 2).body for _ in range(2)] == [b"hello"] * 2
    assert server.connections == 1


def test_an_untrusted_certificate_is_not(start, certificate):
    server = start(over_tls(certificate))
    with pytest.raises(Unavailable) as caught:
        transport.send("POST", server.url.replace("http://127.0.0.1", "https://localhost"), {}, b"body", 2)
    assert caught.value.name == "upstream_connect_SSLCertVerificationError"


def test_head_and_body_leave_in_one_piece(start):
    pieces: list[bytes] = []

    def listening(connection: socket.socket, end: threading.Event) -> None:
        while piece := connection.recv(65536):
            pieces.append(piece)
            connection.sendall(ANSWER)

    server = start(listening)
    assert transport.send("POST", server.url, {"x-name": "value"}, b"the body", 2).body == b"hello"
    assert len(pieces) == 1
    assert pieces[0].startswith(b"POST /x HTTP/1.1\r\n")
    assert pieces[0].endswith(b"\r\n\r\nthe body")
