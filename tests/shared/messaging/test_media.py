"""Media comes from Meta's own hosts only, whatever a webhook says, and no more of it than is kept."""

import hashlib

import httpx
import pytest

from shared.clock import Deadline
from shared.data.encryption import Sensitive
from shared.data.store import ChannelFacts
from shared.errors import Unavailable
from shared.messaging.media import MAXIMUM_BYTES, fetch, hand_over, is_metas
from shared.safety.media import RefusedMediaError
from tests.outbound import answer_by

HOSTS = "https://lookaside.fbsbx.com https://*.fbcdn.net http://127.0.0.1:8080"
WHATSAPP = ChannelFacts(kind="whatsapp", external_id="1", account_id="2", credential=None)
PAGE = ChannelFacts(kind="messenger", external_id="1", account_id=None, credential=None)
TOKEN = Sensitive("the token")


@pytest.fixture(autouse=True)
def hosts(monkeypatch):
    monkeypatch.setenv("MEDIA_HOSTS", HOSTS)
    monkeypatch.setenv("META_GRAPH_URL", "https://graph.facebook.com/v24.0")


@pytest.mark.parametrize(
    "address",
    [
        "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&ext=2&hash=abc",
        "https://scontent.xx.fbcdn.net/v/t1.15752-9/1.jpg?_nc_cat=1",
        "http://127.0.0.1:8080/cdn/1",
    ],
)
def test_an_address_of_metas_is_taken(address):
    assert is_metas(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://lookaside.fbsbx.com/1",
        "https://lookaside.fbsbx.com:8443/1",
        "https://lookaside.fbsbx.com@169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1/1",
        "http://127.0.0.1:8081/1",
        "http://127.0.0.1:8080@evil.example/",
        "https://[::1]/1",
        "https://2130706433/1",
        "https://evilfbcdn.net/1",
        "https://fbcdn.net.evil.example/1",
        "https://fbcdn.net/1",
        "http://a.fbcdn.net/1",
        "https://a.fbcdn.net:22/1",
        "https://a.fbcdn.net\\@evil.example/1",
        "https://evil.example\\.fbcdn.net/1",
        "https://evil.example/.fbcdn.net",
        "https://evil.example#.fbcdn.net",
        "https://evil.example?.fbcdn.net",
        "https://a.fbcdn.net/1 HTTP/1.1\r\nHost: evil.example",
        "https://A.FBCDN.NET/1",
        "https://a.fbcdn。net/1",
        "https://a.fbcdn.net/ü",
        "//a.fbcdn.net/1",
        "file:///etc/passwd",
        "gopher://a.fbcdn.net/1",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "https://a.fbcdn.net/" + "x" * 4001,
    ],
)
def test_every_other_address_is_refused(address):
    assert not is_metas(address)


def streamed(data: bytes) -> httpx.Response:
    return httpx.Response(200, content=iter([data]))


def served(monkeypatch, answer):
    """Meta's side of the line; what it was asked."""
    return answer_by(monkeypatch, answer)


def whatsapps(data: bytes, **told: object):
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "graph.facebook.com":
            described = {"url": "https://lookaside.fbsbx.com/1", "sha256": hashlib.sha256(data).hexdigest()} | told
            return httpx.Response(200, json=described)
        return streamed(data)

    return answer


def test_whatsapp_is_asked_for_the_address_first_and_both_want_the_token(monkeypatch):
    asked = served(monkeypatch, whatsapps(b"picture"))
    assert fetch(WHATSAPP, "123456", TOKEN, MAXIMUM_BYTES, Deadline(5)) == b"picture"
    assert [str(request.url) for request in asked] == [
        "https://graph.facebook.com/v24.0/123456",
        "https://lookaside.fbsbx.com/1",
    ]
    assert {request.headers["authorization"] for request in asked} == {"Bearer the token"}


def test_a_page_gives_the_address_and_gets_no_token(monkeypatch):
    asked = served(monkeypatch, lambda request: streamed(b"picture"))
    assert fetch(PAGE, "https://a.fbcdn.net/1", TOKEN, MAXIMUM_BYTES, Deadline(5)) == b"picture"
    assert "authorization" not in asked[0].headers


def test_each_step_of_the_way_is_looked_at_and_only_the_first_gets_the_token(monkeypatch):
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "lookaside.fbsbx.com":
            return httpx.Response(302, headers={"location": "https://a.fbcdn.net/1"})
        return whatsapps(b"picture")(request)

    asked = served(monkeypatch, answer)
    assert fetch(WHATSAPP, "123456", TOKEN, MAXIMUM_BYTES, Deadline(5)) == b"picture"
    assert "authorization" not in asked[-1].headers
    served(monkeypatch, lambda request: httpx.Response(302, headers={"location": "http://169.254.169.254/"}))
    assert refusal(PAGE, "https://a.fbcdn.net/1") == "foreign_address"


def refusal(channel: ChannelFacts, reference: str) -> str:
    with pytest.raises(RefusedMediaError) as refused:
        fetch(channel, reference, TOKEN, MAXIMUM_BYTES, Deadline(5))
    return refused.value.reason


def test_a_way_without_an_end_ends(monkeypatch):
    asked = served(monkeypatch, lambda request: httpx.Response(302, headers={"location": "https://a.fbcdn.net/1"}))
    assert refusal(PAGE, "https://a.fbcdn.net/1") == "gone"
    assert len(asked) == 4


def test_an_address_that_is_not_metas_is_not_asked(monkeypatch):
    asked = served(monkeypatch, whatsapps(b"picture", url="https://evil.example/1"))
    assert refusal(WHATSAPP, "123456") == "foreign_address"
    assert refusal(PAGE, "https://evil.example/1") == "foreign_address"
    assert [request.url.host for request in asked] == ["graph.facebook.com"]


@pytest.mark.parametrize(
    ("channel", "reference", "answer"),
    [
        *[(PAGE, "https://a.fbcdn.net/1", httpx.Response(status)) for status in (400, 403, 404, 410)],
        *[(WHATSAPP, "123456", httpx.Response(status)) for status in (404, 410)],
        (WHATSAPP, "123456", httpx.Response(400, json={"error": {"code": 100, "error_subcode": 33}})),
    ],
)
def test_what_is_gone_is_gone(monkeypatch, channel, reference, answer):
    served(monkeypatch, lambda request: answer)
    assert refusal(channel, reference) == "gone"


def test_what_is_too_big_is_not_read_to_its_end(monkeypatch):
    served(monkeypatch, lambda request: streamed(bytes(MAXIMUM_BYTES)))
    assert len(fetch(PAGE, "https://a.fbcdn.net/1", TOKEN, MAXIMUM_BYTES, Deadline(5))) == MAXIMUM_BYTES
    served(monkeypatch, lambda request: streamed(bytes(MAXIMUM_BYTES + 1)))
    assert refusal(PAGE, "https://a.fbcdn.net/1") == "too_big"


def away(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody")


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: httpx.Response(500),
        lambda request: httpx.Response(429),
        lambda request: httpx.Response(401),
        # A token that expired, and a rate: Meta says 400 to both.
        lambda request: httpx.Response(400, json={"error": {"code": 190}}),
        lambda request: httpx.Response(400, json={"error": {"code": 80007}}),
        lambda request: httpx.Response(200, content=b"no json"),
        lambda request: httpx.Response(200, json=[]),
        whatsapps(b"picture", sha256="0" * 64),
        away,
    ],
)
def test_what_may_be_there_later_is_asked_for_later(monkeypatch, answer):
    served(monkeypatch, answer)
    with pytest.raises(Unavailable):
        fetch(WHATSAPP, "123456", TOKEN, MAXIMUM_BYTES, Deadline(5))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(200, json={"id": "1234567"}), "1234567"),
        (httpx.Response(400, json={"error": {"code": 131053}}), RefusedMediaError),
        (httpx.Response(400, json={"error": {"code": 190}}), Unavailable),
        (httpx.Response(500), Unavailable),
        (httpx.Response(200, json={}), Unavailable),
        (httpx.Response(200, content=b"no json"), Unavailable),
    ],
)
def test_whatsapp_is_handed_a_file_and_names_it_or_says_why_not(monkeypatch, answer, said):
    asked = served(monkeypatch, lambda request: answer)
    if isinstance(said, str):
        assert hand_over(WHATSAPP, "image/png", b"picture", TOKEN, Deadline(5)) == said
    else:
        with pytest.raises(said):
            hand_over(WHATSAPP, "image/png", b"picture", TOKEN, Deadline(5))
    assert (asked[0].headers["authorization"], asked[0].url.path) == ("Bearer the token", "/v24.0/1/media")
