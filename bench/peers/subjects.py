"""The four that are measured, and the processes they run in."""

import json
import math
import os
import resource
import selectors
import statistics
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from bench.peers.events import APP_SECRET, Event
from bench.peers.install import Folders
from bench.peers.upstreams import Upstreams, live_secret

# Nobody is watched longer than this while something hangs: it is as long as the most patient provider waits.
PATIENCE_SECONDS = 5.0


class Subject(NamedTuple):
    """`module` has `handler`; `alone` (module, function) is its guard without any call; `sweeper` brings back what
    was kept and never queued, where the design has one."""

    name: str
    module: str
    alone: tuple[str, str]
    sweeper: str = ""


OURS = Subject("ours", "functions.webhook_meta", ("webhook_guard_alone", "handler"), "functions.cron_recover")
SUBJECTS = (
    Subject("floor", "floor", ("floor", "guard_alone")),
    OURS,
    Subject("A", "fastapi_supabase", ("fastapi_supabase", "guard_alone")),
    Subject("B", "powertools_dynamodb", ("powertools_dynamodb", "guard_alone")),
)
LEGEND = (
    "floor = the standard library only, same work · ours = functions/webhook_meta.py · "
    "A = FastAPI, Mangum, supabase-py, upstash-redis, boto3, Sentry · "
    "B = Powertools resolver and idempotency, upstash-redis, boto3"
)


class Stuck(Exception):
    """No answer within PATIENCE_SECONDS; the process was ended."""


def environment(upstreams: Upstreams, **changed: str | None) -> dict[str, str]:
    """The variables of every subject, `changed` (None takes one out). Ours has its secrets from the parameter store."""
    queue = f"{upstreams.url}/000000000000/reply.fifo"
    variables = {
        "PATH": os.environ.get("PATH", ""),
        "STAGE": "bench",
        "LOG_LEVEL": "INFO",
        "PARAMETER_PREFIX": "/portero/bench",
        "META_APP_SECRET": APP_SECRET,
        "SUPABASE_SECRET_KEY": "sb_secret_bench",
        "SUPABASE_URL": upstreams.url,
        "UPSTASH_REDIS_REST_URL": upstreams.url,
        "UPSTASH_REDIS_REST_TOKEN": "token",
        "REPLY_QUEUE_URL": queue,
        "SEND_QUEUE_URL": queue,
        "SENTRY_DSN": upstreams.url.replace("http://", "http://key@") + "/1",
        "AWS_REGION": "sa-east-1",
        "AWS_DEFAULT_REGION": "sa-east-1",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": upstreams.url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_LAMBDA_FUNCTION_NAME": "webhook_meta",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
    return {name: value for name, value in (variables | changed).items() if value is not None}


def fill_secrets(upstreams: Upstreams) -> None:
    """What the parameter store answers."""
    names = ("META_VERIFY_TOKEN", "SUPABASE_SECRET_KEY", "QUEUE_KEY", "CRON_SECRET")
    upstreams.secrets = {"META_APP_SECRET": live_secret(APP_SECRET)} | {name: live_secret(name * 4) for name in names}


class Process:
    """One fresh process of a subject. `imported` says what its import cost, or {"error": ...}."""

    def __init__(self, folders: Folders, module: str, variables: dict[str, str]) -> None:
        paths = [str(folders.ours), str(folders.apps), str(folders.libraries)]
        probe = Path(__file__).with_name("probe.py")
        self._child = subprocess.Popen(
            [str(folders.python), "-I", "-B", str(probe), module, *paths],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.imported: dict[str, Any] = self._read(60)

    def call(self, event: Event, function: str = "handler") -> dict[str, Any]:
        """One call. Raises Stuck."""
        answer: dict[str, Any] = self._ask("call", PATIENCE_SECONDS, event=event, function=function)
        return answer

    def loop(self, events: Iterable[Event], function: str = "handler") -> dict[str, list[float]]:
        """Each event once; times of each."""
        times: dict[str, list[float]] = self._ask("loop", 300, events=list(events), function=function)
        return times

    def to_body(self, events: Iterable[Event]) -> list[float]:
        """Microseconds from the handler's call to its body, of each event."""
        times: list[float] = self._ask("to_body", 300, events=list(events))["cpu_us"]
        return times

    def verify(self, count: int, token: str, key: dict[str, str]) -> list[float]:
        """Microseconds of the bare verification of a token."""
        times: list[float] = self._ask("verify", 300, count=count, token=token, key=key)["cpu_us"]
        return times

    def close(self) -> None:
        self._child.kill()
        self._child.communicate()

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, do: str, seconds: float, **arguments: Any) -> Any:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._child.stdin.flush()
        return self._read(seconds)

    def _read(self, seconds: float) -> Any:
        assert self._child.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                self.close()
                raise Stuck
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError("the subject's process ended")
        return json.loads(line)


def bare_start(python: Path) -> float:
    """CPU milliseconds of an interpreter that starts and ends (user and system time of the child)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(python), "-I", "-B", "-c", "pass"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least this share (0 to 1) of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]
