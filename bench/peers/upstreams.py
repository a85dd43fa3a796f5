"""One loopback server in place of everything a webhook calls; it counts, remembers, and can refuse or hang.

Plain HTTP, so that no subject pays for a TLS handshake. PostgREST, SQS and DynamoDB (AWS JSON), SSM, Upstash's REST
protocol, Supabase's key set and Sentry's envelopes, each as far as the subjects use it.
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_MESSAGE_ID = re.compile(r"wamid\.[A-Za-z0-9+/=_-]+")
_SERVICES = {"AmazonSSM": "secrets", "AmazonSQS": "queue", "DynamoDB_20120810": "idempotency"}
# Longer than any subject is watched while it hangs.
HANG_SECONDS = 60

Answer = tuple[int, Any]


class Upstreams:
    """`calls` counts round trips by what was called; `failing` and `hanging` name what refuses or never answers."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.failing: set[str] = set()
        self.hanging: set[str] = set()
        self.secrets: dict[str, str] = {}
        self.keys: list[dict[str, str]] = []
        self._released = threading.Event()
        self._lock = threading.Lock()
        self.forget()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def forget(self) -> None:
        """Empty stores and queues, counts at zero, everybody well."""
        self._released.set()
        self._released = threading.Event()
        self.calls.clear()
        self.failing.clear()
        self.hanging.clear()
        # Message id -> conversation; what is queued, by deduplication id; the messages that some queued item is about.
        self.kept: dict[str, str] = {}
        self.queued: dict[str, str] = {}
        self.covered: set[str] = set()
        self.items: dict[str, dict[str, Any]] = {}
        self.counters: Counter[str] = Counter()

    @contextmanager
    def trouble(self, *, failing: tuple[str, ...] = (), hanging: tuple[str, ...] = ()) -> Iterator[None]:
        """Within the block these refuse or hang."""
        self.failing, self.hanging = set(failing), set(hanging)
        try:
            yield
        finally:
            self.failing, self.hanging = set(), set()
            self._released.set()
            self._released = threading.Event()

    def effects(self) -> int:
        """How much is kept, queued or remembered: what a refused request must not change."""
        return len(self.kept) + len(self.queued) + len(self.items)

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, headers: Any, body: bytes) -> Answer:
        """What one request gets, after it was counted."""
        target = str(headers.get("x-amz-target", ""))
        service = _SERVICES.get(target.partition(".")[0]) or _service_of(path)
        with self._lock:
            self.calls[service] += 1
        if service in self.hanging:
            self._released.wait(HANG_SECONDS)
            return 504, {}
        if service in self.failing:
            return 503, {"__type": "ServiceUnavailable", "message": "away"}
        with self._lock:
            if target:
                return self._aws(target.partition(".")[2], json.loads(body))
            return self._plain(service, path, body)

    def _plain(self, service: str, path: str, body: bytes) -> Answer:
        if path.startswith("/rest/v1/rpc/keep_inbox"):
            return 200, self._keep_inbox(json.loads(body)["p_items"])
        if path.startswith("/rest/v1/rpc/sweep"):
            turns = {talk for message, talk in self.kept.items() if message not in self.covered}
            found = [{"tenant": "t", "conversation": talk} for talk in sorted(turns)]
            return 200, {"turns": found, "sends": [], "files": [], "media": []}
        if path.startswith("/rest/v1/rpc/close_unconfirmed"):
            return 200, 0
        if path.startswith("/rest/v1/messages"):
            rows = [row for row in json.loads(body) if row["id"] not in self.kept]
            self.kept |= {row["id"]: row["message"]["from"] for row in rows}
            return 201, rows
        if service == "rate":
            return 200, [{"result": self._redis(command)} for command in json.loads(body)]
        if service == "keys":
            return 200, {"keys": self.keys}
        return (200, {}) if service == "reports" else (404, {})

    def _keep_inbox(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        """As the database's function answers: counts, and the conversations of messages without an outcome."""
        messages = {str(i["item"]["id"]): str(i["contact"]["id"]) for i in items if i["kind"] == "message"}
        new = {message: talk for message, talk in messages.items() if message not in self.kept}
        others = {f"{i['kind']} {i['key']}": "" for i in items if i["kind"] != "message"}
        self.kept |= new | others
        turns = [{"tenant": "t", "conversation": talk} for talk in sorted(set(messages.values()))]
        kept = len(new) + len(others)
        return {"kept": kept, "duplicate": len(items) - kept, "unknown_channel": 0, "turns": turns}

    def _redis(self, command: list[Any]) -> int:
        if str(command[0]).upper() == "INCR":
            self.counters[command[1]] += 1
            return self.counters[command[1]]
        return 1

    def _aws(self, action: str, request: dict[str, Any]) -> Answer:
        if action == "GetParameters":
            found = {name: self.secrets.get(name.rpartition("/")[2]) for name in request["Names"]}
            present = [{"Name": name, "Value": value} for name, value in found.items() if value is not None]
            return 200, {"Parameters": present, "InvalidParameters": []}
        if action == "SendMessage":
            self._enqueue(request)
            return 200, {"MessageId": "1"}
        if action == "SendMessageBatch":
            for entry in request["Entries"]:
                self._enqueue(entry)
            return 200, {"Successful": [{"Id": entry["Id"], "MessageId": "1"} for entry in request["Entries"]]}
        return self._dynamodb(action, request)

    def _enqueue(self, message: dict[str, Any]) -> None:
        """As a FIFO queue does: the same deduplication id once. A message's id covers it, a conversation's id all."""
        body = message["MessageBody"]
        if message["MessageDeduplicationId"] in self.queued:
            return
        self.queued[message["MessageDeduplicationId"]] = body
        self.covered |= set(_MESSAGE_ID.findall(body))
        if not _MESSAGE_ID.search(body):
            self.covered |= {kept for kept, talk in self.kept.items() if talk and f'"{talk}"' in body}

    def _dynamodb(self, action: str, request: dict[str, Any]) -> Answer:
        key = str((request["Item"] if action == "PutItem" else request["Key"])["id"]["S"])
        known = self.items.get(key)
        if action == "PutItem":
            if known is not None and "ConditionExpression" in request:
                return 400, {"__type": "x#ConditionalCheckFailedException", "message": "failed", "Item": known}
            self.items[key] = request["Item"]
        elif action == "UpdateItem":
            names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
            given = {name: values[f":{mark[1:]}"] for mark, name in names.items() if f":{mark[1:]}" in values}
            self.items[key] = {**(known or request["Key"]), **given}
        elif action == "DeleteItem":
            self.items.pop(key, None)
        elif action == "GetItem":
            return 200, {"Item": known} if known else {}
        return 200, {}


def live_secret(value: str) -> str:
    """A secret as the parameter store holds it."""
    return json.dumps([{"value": value, "expires": None}])


def _service_of(path: str) -> str:
    if path.startswith("/rest/"):
        return "database"
    if path.startswith("/api/"):
        return "reports"
    return "keys" if path.endswith("/jwks.json") else "rate"


def _handler(upstreams: Upstreams) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, content = upstreams.answer(self.path, self.headers, body)
            payload = json.dumps(content).encode()
            head = f"HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {len(payload)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + payload)
            except OSError:  # who asked has gone: that is what hanging is for
                self.close_connection = True

        do_GET = do_POST  # noqa: N815 (http.server's name)

        def log_message(self, *_: object) -> None:
            return

    return Handler
