"""TCP ports of this machine: whether one is free, and who has it."""

import contextlib
import socket


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
