"""TCP ports of this machine: one that is free, whether one is, and who has it."""

import contextlib
import random
import socket

# Below those that the system gives to connections and to whoever asks for any: until its server listens, only another
# caller of free_port can take one.
_PORTS = range(15_000, 32_000)
_given: set[int] = set()


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now and that was not given before."""
    chance = random.SystemRandom()
    while True:
        port = chance.choice(_PORTS)
        if port not in _given and is_free(port):
            _given.add(port)
            return port


def is_free(port: int) -> bool:
    """Whether 127.0.0.1:`port` can be listened on now."""
    with socket.socket() as probe:
        # As a server does it: a connection that is only fading away leaves the port free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def describe_listener(port: int) -> str:
    """Who listens on the port, as the end of a sentence: " by python3 (process 42)"; empty when it cannot be seen."""
    import psutil

    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections(kind="tcp"):
            listens = connection.status == psutil.CONN_LISTEN and tuple(connection.laddr)[1:] == (port,)
            if listens and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    return ""
