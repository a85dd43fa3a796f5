"""The local AWS: moto's SQS, S3, SSM and KMS on one address, holding what serverless.yml declares.

Forms, signatures and permissions, which moto does not check, are checked in front of it (forms.py, signatures.py,
roles.py). Names, URLs and ARNs follow from the template and the address alone, so that the environment of every
function is known before the server runs.
"""

import importlib
import json
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from local import forms, invocations, moto_state, roles
from local.runtime import Invoke
from local.signatures import SECRET_KEY
from local.template import GetAtt, Queue, Ref, Template, TemplateError

HOST = "127.0.0.1"
# The operator's access key: tests and tools have every permission.
OPERATOR = "local"


class Cloud:
    """The resources of one template in the AWS at `url`.

    `parameters` are the SSM parameters: name below /<service>/<stage>/ -> value. They are SecureStrings, except those
    that a schedule's input takes by {{resolve:ssm:...}}: CloudFormation accepts only plain ones there.
    """

    def __init__(self, url: str, template: Template, parameters: Mapping[str, str]) -> None:
        self.url = url
        self.template = template
        self.parameters = parameters
        self._session = boto3.Session(OPERATOR, SECRET_KEY, region_name=template.region)
        self._clients: dict[str, Any] = {}
        self._created: object = None
        self._creating_client = threading.Lock()

    def client(self, service: str) -> Any:
        """A boto3 client of the local AWS, for example `client("sqs")`; made once, usable from every thread."""
        with self._creating_client:
            if service not in self._clients:
                config = Config(max_pool_connections=20)
                self._clients[service] = self._session.client(service, endpoint_url=self.url, config=config)
            return self._clients[service]

    def resolve(self, value: Ref | GetAtt) -> str:
        """What CloudFormation puts in place of a Ref or a GetAtt. Raises TemplateError for what is not here."""
        queue, bucket = self.template.queues.get(value.name), self.template.buckets.get(value.name)
        function = self.template.function_named(value.name)
        match value:
            case Ref() if queue:
                return self.queue_url(value.name)
            case GetAtt(_, "Arn") if queue:
                return self.template.arn("sqs", queue.name)
            case GetAtt(_, "QueueName") if queue:
                return queue.name
            case Ref() if bucket:
                return bucket.name
            case GetAtt(_, "Arn") if bucket:
                return f"arn:aws:s3:::{bucket.name}"
            case Ref() if function:
                return self.template.deployed_name(function)
            case GetAtt(_, "Arn") if function:
                return self.template.arn("lambda", f"function:{self.template.deployed_name(function)}")
            case GetAtt(_, "Arn") if value.name in self.template.master_keys:
                return self.template.arn("kms", f"key/{value.name}")
        raise TemplateError(f"{value} is neither a queue, a bucket, a key nor a function of the template")

    def queue_url(self, logical_name: str) -> str:
        """The URL of a queue, by its logical name in the template."""
        return f"{self.url}/{self.template.account}/{self.template.queues[logical_name].name}"

    def create(self) -> None:
        """Create every queue, bucket and parameter."""
        for queue in sorted(self.template.queues.values(), key=lambda queue: "RedrivePolicy" in queue.properties):
            self.client("sqs").create_queue(QueueName=queue.name, Attributes=self._attributes(queue))
        for bucket in self.template.buckets.values():
            location = {"LocationConstraint": self.template.region}
            self.client("s3").create_bucket(Bucket=bucket.name, CreateBucketConfiguration=location)
        plain = json.dumps([schedule.input for schedule in self.template.schedules])
        for name, value in self.parameters.items():
            full_name = f"/{self.template.service}/{self.template.stage}/{name}"
            kind = "String" if f"{{{{resolve:ssm:{full_name}}}}}" in plain else "SecureString"
            self.client("ssm").put_parameter(Name=full_name, Value=value, Type=kind)
        self._created = moto_state.fingerprint()

    def reset(self) -> None:
        """Return to the state after `create()`. The server must run in this process."""
        if self._created is not None and moto_state.fingerprint() == self._created:
            moto_state.empty()
            return
        _empty(self.url)
        self.create()

    def _attributes(self, queue: Queue) -> dict[str, str]:
        """CloudFormation's properties of a queue as the strings that SQS's CreateQueue wants."""
        properties = self.template.resolved(queue.properties, self.resolve)
        return {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in properties.items()
            if name not in ("QueueName", "Tags")
        }


@contextmanager
def serve(port: int = 0, template: Template | None = None, invoke: Invoke | None = None) -> Iterator[str]:
    """Run an empty local AWS in a thread and give its URL; port 0 takes a free one.

    With a template, each of its functions may do what its role allows; without one only the operator has access.
    `invoke` runs the functions that others invoke (local/invocations.py).
    moto keeps its state for the process: two of them in one process are one account.
    """
    server = _server(port, template, invoke)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    url = f"http://{HOST}:{server.server_port}"
    try:
        _empty(url)
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _empty(url: str) -> None:
    request = urllib.request.Request(f"{url}/moto-api/reset", method="POST")
    with urllib.request.urlopen(request, timeout=10):
        pass


class _RequestHandler(MotoRequestHandler):
    """No line on the terminal for each request."""

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


def _server(port: int, template: Template | None, invoke: Invoke | None) -> BaseWSGIServer:
    application = forms.checked(_one_at_a_time(), SECRET_KEY)
    if template is not None and invoke is not None:
        # In front of moto's lock: a function that is invoked here calls this server in turn.
        application = invocations.answered(application, template, invoke)
    if template is not None:
        application = roles.enforced(application, template, Cloud("", template, {}).resolve, OPERATOR)
    return make_server(HOST, port, application, threaded=True, request_handler=_RequestHandler)


def _one_at_a_time() -> Callable[..., Iterable[bytes]]:
    """moto's application behind a lock: two receivers at once could otherwise get the same message."""
    _import_ssm_without_ec2_tables()
    application = DomainDispatcherApplication(create_backend_app)
    lock = threading.Lock()

    def serialised(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with lock:
            return list(application(environ, start_response))

    return serialised


def _import_ssm_without_ec2_tables() -> None:
    """moto's SSM imports its EC2, whose tables of instance types would cost a second and 100 MB."""
    with patch("moto.utilities.utils.load_resource", return_value={}):
        importlib.import_module("moto.ec2")
    importlib.import_module("moto.ssm")
