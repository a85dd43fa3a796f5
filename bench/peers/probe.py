"""Runs inside a subject's own process: imports it, calls it, and says what that cost. Standard library only.

    python -I -B probe.py <module> <folder on the path>...

Reads one JSON command a line from stdin and answers one a line on the descriptor that stdout was; what the subject
prints goes nowhere. Nothing but `sys` and `time` is imported before the subject, so that it pays for what it needs.
CPU times are microseconds of this process, threads included.
"""

import sys
import time

cpu_at_start = time.process_time_ns()


def main():
    module, *folders = sys.argv[1:]
    sys.path[:0] = folders
    import os  # loaded by every start of Python already

    answers = os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    before = time.process_time_ns()
    try:
        subject = __import__(module, fromlist=["handler"])
        open_tls(subject)
    except Exception as error:
        imported = {"error": repr(error)}
    else:
        imported = {"import_us": (time.process_time_ns() - before) / 1000, "start_us": cpu_at_start / 1000}
    import json

    tell(answers, json.dumps(imported))
    if "error" in imported:
        return
    for line in sys.stdin:
        command = json.loads(line)
        tell(answers, json.dumps(COMMANDS[command.pop("do")](subject, **command)))


def open_tls(subject):
    """The one TLS context that calls to real services need; here the calls are plain. Libraries open their own."""
    client = sys.modules.get("shared.cloud.transport", subject)
    if hasattr(client, "tls"):
        client.tls()


def tell(answers, text):
    answers.write(text + "\n")
    answers.flush()


class Context:
    """As much of Lambda's context as the subjects look at."""

    function_name = "webhook_meta"
    function_version = "$LATEST"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:sa-east-1:000000000000:function:webhook_meta"
    aws_request_id = "00000000-0000-4000-8000-000000000000"
    seconds = 5.0

    def __init__(self):
        self._ends = time.monotonic() + self.seconds

    def get_remaining_time_in_millis(self):
        return max(0, int((self._ends - time.monotonic()) * 1000))


def call(subject, event, function="handler"):
    """One call: Lambda's answer, or status 500 when the handler raises, as API Gateway has it."""
    context = Context()
    began, cpu = time.perf_counter(), time.process_time_ns()
    try:
        answer = getattr(subject, function)(event, context)
        status = answer.get("statusCode", 200)
    except Exception as error:
        status, answer = 500, {"error": repr(error)}
    return {
        "status": status,
        "answer": str(answer)[:300],
        "cpu_us": (time.process_time_ns() - cpu) / 1000,
        "wall_ms": (time.perf_counter() - began) * 1000,
        "modules": len(sys.modules),
        "resident_mb": resident_mb(),
    }


def loop(subject, events, function="handler"):
    """Each event once; CPU and wall time of each."""
    cpus, walls, statuses = [], [], []
    handler = getattr(subject, function)
    for event in events:
        context = Context()
        began, cpu = time.perf_counter(), time.process_time_ns()
        answer = handler(event, context)
        cpus.append((time.process_time_ns() - cpu) / 1000)
        walls.append((time.perf_counter() - began) * 1000)
        statuses.append(answer["statusCode"])
    return {"cpu_us": cpus, "wall_ms": walls, "statuses": statuses}


def to_body(subject, events):
    """From the handler's call to the first line of its body; `subject.on_entry` is called there."""
    entered = []
    subject.on_entry[:] = [lambda: entered.append(time.process_time_ns())]
    cpus = []
    for event in events:
        context = Context()
        cpu = time.process_time_ns()
        subject.handler(event, context)
        cpus.append((entered.pop() - cpu) / 1000)
    subject.on_entry.clear()
    return {"cpu_us": cpus}


def verify(subject, count, token, key):
    """The bare ES256 verification (RFC 7518, 3.4) of a token with a key that is there (a JWK), `count` times."""
    import base64
    import json

    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256
    from jwt.algorithms import ECAlgorithm

    public = ECAlgorithm.from_jwk(json.dumps(key))
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    cpus = []
    for _ in range(count):
        cpu = time.process_time_ns()
        pair = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        public.verify(pair, signed.encode(), ec.ECDSA(SHA256()))
        cpus.append((time.process_time_ns() - cpu) / 1000)
    return {"cpu_us": cpus}


def resident_mb():
    try:
        with open("/proc/self/statm") as opened:
            return int(opened.read().split()[1]) * 4096 / 1e6
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


COMMANDS = {"call": call, "loop": loop, "to_body": to_body, "verify": verify}

if __name__ == "__main__":
    main()
