"""Answers from a real socket: what is well framed is read as http.client reads it, and nothing else is read."""

import contextlib
import http.client
import io
import socket
import struct
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cloud.http1 import BadAnswer, Closed, Connection, Encoded, Stale, TooLarge
from shared.cloud.sockets import open_socket

OK = b"HTTP/1.1 200 OK\r\n"


class Other:
    """The other side of one connection: says `pieces` when it has heard a request, and hangs up."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        self._listener.close()
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            for piece in self._pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)


def ask(*pieces: bytes, method: str = "GET", most: int = 1_000_000, **said):
    """What came back, and whether the connection may be used again."""
    other = Other(*pieces)
    connection = Connection(open_socket("127.0.0.1", other.port, time.monotonic() + 2, None), "other.example")
    try:
        target, headers, body = said.get("target", "/"), said.get("headers", {}), said.get("body", b"")
        head, answer = connection.exchange(method, target, headers, body, time.monotonic() + 2, most)
        return head, answer, connection.is_open
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("said", "body", "is_open"),
    [
        (OK + b"Content-Length: 5\r\n\r\nhello", b"hello", True),
        (OK + b"content-length:5\r\nConnection: close\r\n\r\nhello", b"hello", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
        (OK + b"\r\nhello", b"hello", False),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX-Later: 1\r\n\r\n", b"hello", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 5\r\n\r\nhello", b"hello", True),
        (
            b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 8 + OK + b"Content-Length: 5\r\n\r\nhello",
            b"hello",
            True,
        ),
        (OK + b"Content-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", b"", True),
    ],
)
def test_a_well_framed_answer_is_read_to_its_end_and_no_further(said, body, is_open):
    assert ask(said)[1:] == (body, is_open)
    assert ask(*[said[place : place + 1] for place in range(len(said))])[1:] == (body, is_open)


@pytest.mark.parametrize(
    "said",
    [
        b"no http at all\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        OK + b"Content-Length: 5\r\n\r\nhell",
        OK + b"Content-Length: -5\r\n\r\nhello",
        OK + b"Content-Length: 5, 5\r\n\r\nhello",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        OK + b"Content-Length: 00000000000000005\r\n\r\nhello",
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0x3\r\nhel\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3" + b" " * 5000,
        OK + b"Content-Length : 5\r\n\r\nhello",
        OK + b"X: 1\r\n Content-Length: 5\r\n\r\nhello",
        OK + b"a line without a colon\r\n\r\n",
        OK + b"X: " + b"x" * 70_000,
        OK + b"X: 1",
        OK + b"X: 1\nContent-Length: 5\r\n\r\nhello",
        OK + b"X: 1\rY: 2\r\nContent-Length: 5\r\n\r\nhello",
        OK + b"X: \0\r\nContent-Length: 5\r\n\r\nhello",
        OK + b"X: 1\r\n" * 300 + b"Content-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + OK + b"Content-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9 + OK + b"Content-Length: 5\r\n\r\nhello",
        (b"HTTP/1.1 103 Early Hints\r\nX: " + b"x" * 30_000 + b"\r\n\r\n") * 3 + OK + b"Content-Length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3;" + b"x" * 2000 + b"\r\nhel\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: 1\r\n" * 20_000 + b"\r\n",
    ],
)
def test_what_is_not_framed_as_it_should_be_is_no_answer(said):
    with pytest.raises(BadAnswer):
        ask(said)
    assert ask(OK + b"Content-Length: 5\r\n\r\nhello")[1] == b"hello"


@pytest.mark.parametrize("unasked", [b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", b"", None])
def test_what_is_said_unasked_answers_no_later_request(unasked):
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    connection = Connection(open_socket("127.0.0.1", port, time.monotonic() + 2, None), "other.example")
    other, _ = listener.accept()
    with contextlib.closing(connection), listener, other:
        other.sendall(OK + b"Content-Length: 5\r\n\r\nhello")
        assert connection.exchange("GET", "/", {}, b"", time.monotonic() + 2, 100)[1] == b"hello"
        assert connection.is_open
        if unasked is None:
            # As a machine that has forgotten the connection: a reset.
            other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            other.close()
        elif unasked:
            other.sendall(unasked)
        else:
            other.shutdown(socket.SHUT_WR)
        with pytest.raises(Stale):
            connection.exchange("GET", "/", {}, b"", time.monotonic() + 2, 100)
    said = OK + b"Content-Length: 5\r\n\r\nhello"
    assert ask(said + (unasked or b""))[1:] == (b"hello", not unasked)


def test_who_hangs_up_before_the_answer_may_have_heard_the_request():
    with pytest.raises(Closed):
        ask()


@pytest.mark.parametrize(
    "said", [OK + b"Content-Length: 6\r\n\r\n", OK + b"\r\nhello!", OK + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n"]
)
def test_a_body_is_as_long_as_it_may_be_and_no_longer(said):
    with pytest.raises(TooLarge):
        ask(said, most=5)
    assert ask(OK + b"Content-Length: 5\r\n\r\nhello", most=5)[1] == b"hello"


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"deflate", b"identity, gzip", b"x"])
def test_a_body_that_is_encoded_is_not_read(coding):
    said = b"Content-Encoding: " + coding + b"\r\nContent-Length: 5\r\n\r\nhello"
    with pytest.raises(Encoded):
        ask(OK + said)
    # The status of an error tells enough.
    head, body, is_open = ask(b"HTTP/1.1 503 Busy\r\nRetry-After: 5\r\n" + said)
    assert (head.status, head.headers["retry-after"], body, is_open) == (503, "5", b"", False)


def test_of_an_error_a_body_that_is_too_large_is_left_out():
    head, body, is_open = ask(b"HTTP/1.1 429 No\r\nContent-Length: 6\r\n\r\nhello!", most=5)
    assert (head.status, body, is_open) == (429, b"", False)


@pytest.mark.parametrize(
    "broken",
    [
        {"target": "/x y"},
        {"target": "/x\r\nX: 1"},
        {"target": "/\u00e9"},
        {"headers": {"x": "1\r\ny: 2"}},
        {"headers": {"x\n": "1"}},
        {"headers": {"x": "\0"}},
        {"method": "GET /y"},
    ],
)
def test_nothing_that_is_sent_can_end_a_line(broken):
    with pytest.raises(ValueError, match="break in two"):
        ask(OK + b"\r\n", **broken)
    assert ask(OK + b"\r\nhello", target="/x?y=%20", headers={"x": "1; y=2"})[1] == b"hello"


def test_a_head_request_has_no_body_and_headers_come_by_small_names():
    head, body, is_open = ask(OK + b"Content-Length: 5\r\nDate: now\r\nX: 1\r\nx: 2\r\n\r\n", method="HEAD")
    assert (head.status, head.headers["date"], head.headers["x"], body, is_open) == (200, "now", "1, 2", b"", True)


class Said:
    """What http.client takes for a socket."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    def makefile(self, mode: str) -> io.BytesIO:
        assert mode == "rb"
        return io.BytesIO(self._said)


@given(
    body=st.binary(max_size=400),
    cuts=st.lists(st.integers(1, 60), max_size=12),
    framing=st.sampled_from(("length", "chunked", "to the end")),
    headers=st.dictionaries(
        st.from_regex(r"x-[a-z]{1,8}", fullmatch=True), st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)
    ),
    status=st.sampled_from((200, 201, 400, 404, 429, 500, 503)),
)
def test_an_answer_is_read_as_the_standard_library_reads_it(body, cuts, framing, headers, status):
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
    if framing == "length":
        said = body
        lines.append(f"Content-Length: {len(body)}")
    elif framing == "chunked":
        pieces, rest = [], body
        for cut in cuts:
            pieces, rest = [*pieces, rest[:cut]], rest[cut:]
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, rest] if piece]
        said = b"".join(chunks) + b"0\r\n\r\n"
        lines.append("Transfer-Encoding: chunked")
    else:
        said = body
    whole = "\r\n".join([*lines, "", ""]).encode() + said
    theirs = http.client.HTTPResponse(Said(whole))  # type: ignore[arg-type]
    theirs.begin()
    head, answer, is_open = ask(whole)
    assert (head.status, answer, is_open) == (theirs.status, theirs.read(), not theirs.will_close)
    assert {name: head.headers[name] for name in headers} == {name: theirs.headers[name] for name in headers}


@given(said=st.binary(max_size=300), begins=st.sampled_from((b"", OK, OK + b"Transfer-Encoding: chunked\r\n\r\n")))
def test_whatever_comes_is_an_answer_or_a_named_refusal(said, begins):
    try:
        _, body, _ = ask(begins + said)
    except (BadAnswer, Closed):
        return
    assert body in said or begins.endswith(b"chunked\r\n\r\n")
