"""What Supabase Auth says of a session, and what that means at the door."""

import json

import pytest

from shared.cloud import transport
from shared.cloud.transport import Answer
from shared.errors import Problem, Refused, Unavailable
from shared.guard.verify.session import verify_session
from shared.settings import Setting

USER = "6f1d5a3e-8d3c-4f0e-9a51-7c1f6f0c2a10"
ALIVE = Answer(200, json.dumps({"id": USER}).encode())


def verify(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    def send(
        to: Setting, method: str, url: str, headers: dict[str, str], body: bytes, seconds: float, *, max_bytes: int
    ) -> Answer:
        assert (method, url, body) == ("GET", "https://project.example/auth/v1/user", b"")
        assert (headers["authorization"], headers["apikey"]) == ("Bearer a.b.c", "publishable")
        assert seconds <= 2.0
        assert (to, max_bytes) == (Setting.SUPABASE_URL, 256 * 1024)
        return answer

    monkeypatch.setattr(transport, "send", send)
    verify_session("a.b.c", USER, "https://project.example/auth/v1", "publishable")


@pytest.mark.parametrize(
    ("answer", "kind", "name"),
    [
        (Answer(401, b""), Refused, "session_revoked"),
        (Answer(403, b'{"code": "session_not_found"}'), Refused, "session_revoked"),
        (Answer(404, b""), Refused, "session_revoked"),
        (Answer(200, b'{"id": "somebody else"}'), Refused, "session_foreign"),
        (Answer(200, b"{}"), Refused, "session_foreign"),
        (Answer(200, b"[]"), Refused, "session_foreign"),
        (Answer(200, b"<html>"), Unavailable, "session_unanswered"),
        (Answer(200, b"[" * 100_000), Unavailable, "session_unanswered"),
        (Answer(204, b""), Unavailable, "session_unanswered"),
        (Answer(302, b""), Unavailable, "session_unanswered"),
        (Answer(429, b""), Unavailable, "session_unanswered"),
        (Answer(500, b""), Unavailable, "session_unanswered"),
    ],
)
def test_only_the_very_user_alive_is_let_in(monkeypatch, answer, kind, name):
    verify(monkeypatch, ALIVE)
    with pytest.raises(Problem) as caught:
        verify(monkeypatch, answer)
    assert (type(caught.value), caught.value.name) == (kind, name)
