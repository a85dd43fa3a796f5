"""The Redis of the offline world ends with whoever started it, however that one ends."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

PROGRAM = """
import sys, time
from pathlib import Path
from local import redis_server
with redis_server.running(Path(sys.argv[1])) as server:
    import redis
    print(redis.Redis.from_url(server.url).info("server")["process_id"], flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_server_is_left_behind(tmp_path, how):
    starter = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    server = psutil.Process(int(starter.stdout.readline()))
    assert server.is_running()
    starter.send_signal(how)
    starter.wait(10)
    ends = time.monotonic() + 20
    while server.is_running() and server.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < ends, "the server outlived its starter"
