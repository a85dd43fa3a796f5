"""The handlers inside this process: the fast way for tests to invoke a function.

What Lambda does around a handler happens here too: event and answer go through JSON, the context has a deadline, an
exception becomes Lambda's error document, and during a call `os.environ` holds the function's own names only. What
does not happen: a time-out does not stop the handler, and all functions share their imported modules.
"""

import importlib
import os
import time
import traceback
import uuid
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from awslambdaric.lambda_context import LambdaContext
from awslambdaric.lambda_runtime_exception import FaultException
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

from local.runtime import FunctionError, Invocation, answered, encode_event, failed, platform_variables
from local.template import Template

_variables_of_the_call: ContextVar[MutableMapping[str, str] | None] = ContextVar("variables of the call", default=None)


class InProcess:
    """Invokes handlers in the calling thread. From its making until `stop()` it stands in for `os.environ`.

    `environments` maps a function to its variables, which are looked up at every call; `clock` gives seconds since the
    epoch for the context's deadline. The handlers' modules must be importable.
    """

    def __init__(
        self,
        template: Template,
        environments: Mapping[str, MutableMapping[str, str]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._template = template
        self._environments = environments
        self._clock = clock
        self._marshaller = LambdaMarshaller()
        self._environ_before = os.environ
        os.environ = _Environ(ChainMap(os.environ, *environments.values()))  # type: ignore[assignment]  # noqa: B003

    def invoke(self, function: str, event: dict[str, Any]) -> Invocation:
        """Hand one event to the function and wait for what becomes of it; callable from any thread.

        Raises ValueError for an unknown function and EventTooLarge for an event above Lambda's size limit.
        """
        if function not in self._template.functions:
            raise ValueError(f"there is no function {function!r} in the template")
        body = encode_event(event)
        with self.seeing(self._environments[function]):
            return self._call(function, body)

    @contextmanager
    def seeing(self, variables: Mapping[str, str]) -> Iterator[None]:
        """Within the block this thread's `os.environ` is what Lambda would give a function with these variables."""
        mark = _variables_of_the_call.set({**platform_variables(Path.cwd()), **variables})
        try:
            yield
        finally:
            _variables_of_the_call.reset(mark)

    def stop(self) -> None:
        """Give `os.environ` back."""
        os.environ = self._environ_before  # noqa: B003

    def _call(self, function: str, body: bytes) -> Invocation:
        request_id = str(uuid.uuid4())
        described = self._template.functions[function]
        arn = self._template.arn("lambda", f"function:{self._template.deployed_name(function)}")
        deadline_ms = int((self._clock() + described.timeout) * 1000)
        context = _Context(request_id, None, None, deadline_ms, arn)
        context.clock = self._clock
        started = time.perf_counter()
        try:
            event = self._marshaller.unmarshal_request(body)
            answer, _ = self._marshaller.marshal_response(_import_handler(described.handler)(event, context))
        except SystemExit as error:
            message = f"RequestId: {request_id} Error: Runtime exited with error: exit status {error.code}"
            return failed(request_id, time.perf_counter() - started, FunctionError("Runtime.ExitError", message))
        except FaultException as error:
            reason = FunctionError(error.exception_type, error.msg, error.trace or [])
            return failed(request_id, time.perf_counter() - started, reason)
        except Exception as error:
            stack = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
            reason = FunctionError(type(error).__name__, str(error), stack)
            return failed(request_id, time.perf_counter() - started, reason)
        return answered(request_id, time.perf_counter() - started, answer.encode())


class _Context(LambdaContext):  # type: ignore[misc]
    """The runtime's own context, on the world's clock."""

    clock: Callable[[], float]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int(self._epoch_deadline_time_in_ms - self.clock() * 1000))


def _import_handler(handler: str) -> Callable[[Any, LambdaContext], Any]:
    module, name = handler.rsplit(".", 1)
    found: Callable[[Any, LambdaContext], Any] = getattr(importlib.import_module(module.replace("/", ".")), name)
    return found


class _Environ(MutableMapping[str, str]):
    """`os.environ` while handlers run here: a call sees its function's variables, the rest of the process `outside`.

    A thread that a handler starts is outside too, so `outside` also holds the variables of all functions.
    """

    def __init__(self, outside: MutableMapping[str, str]) -> None:
        self._outside = outside

    def _current(self) -> MutableMapping[str, str]:
        inside = _variables_of_the_call.get()
        return self._outside if inside is None else inside

    def __getitem__(self, name: str) -> str:
        return self._current()[name]

    def __setitem__(self, name: str, value: str) -> None:
        self._current()[name] = value

    def __delitem__(self, name: str) -> None:
        del self._current()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._current())

    def __len__(self) -> int:
        return len(self._current())

    def copy(self) -> dict[str, str]:
        return dict(self)
