"""The state of the moto server in this process, read and emptied without a request.

A test empties it between two cases: creating every queue, bucket and parameter again takes 25 requests and 0.1 s.
"""

from collections.abc import Iterator
from typing import Any

from moto.backends import get_backend


def fingerprint() -> tuple[object, ...]:
    """Return what a test leaves alone: names and settings of queues and buckets, parameters, keys.

    Equal fingerprints mean that `empty()` is enough to return to the state of the first one.
    """
    queues = [(queue.name, queue.created_timestamp, queue.last_modified_timestamp) for queue in _queues()]
    buckets = [(bucket.name, bucket.creation_date, bucket.policy) for bucket in _buckets()]
    parameters = [
        (name, version.value, version.version)
        for backend in _backends("ssm")
        for name, versions in backend._parameters.items()
        for version in versions
    ]
    keys = [key for backend in _backends("kms") for key in backend.keys]
    return tuple(queues), tuple(buckets), tuple(parameters), tuple(keys)


def empty() -> None:
    """Delete every message and every object; queues and buckets stay."""
    for queue in _queues():
        queue._messages.clear()
        queue._pending_messages.clear()
        queue.deleted_messages.clear()
    for bucket in _buckets():
        bucket.keys.clear()
        bucket.multiparts.clear()


def message_counts() -> dict[str, int]:
    """Return how many messages each queue holds, those in flight included."""
    return {queue.name: len(queue._messages) for queue in _queues()}


def has_messages(queue_name: str) -> bool:
    """Return whether a queue holds a message that can be received now."""
    return any(queue.messages for queue in _queues() if queue.name == queue_name)


def _queues() -> Iterator[Any]:
    return (queue for backend in _backends("sqs") for queue in backend.queues.values())


def _buckets() -> Iterator[Any]:
    return (bucket for backend in _backends("s3") for bucket in backend.buckets.values())


def _backends(service: str) -> Iterator[Any]:
    backends: Any = get_backend(service)  # type: ignore[call-overload]
    return (backend for regions in list(backends.values()) for backend in list(regions.values()))
