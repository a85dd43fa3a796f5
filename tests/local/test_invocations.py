"""Lambda's Invoke for the functions of the template, in one process and from one to another (`make dev`)."""

from typing import Any

import pytest
from werkzeug.test import Client

from local.invocations import answered, application_of, over_http
from local.runtime import EventTooLarge, FunctionError, Invocation, failed
from local.serve import serve
from local.template import Function, Template

TEMPLATE = Template("shop", "test", "sa-east-1", "123456789012", "python3.13")
TEMPLATE.functions["parse"] = Function("parse", "functions/parse.handler", 5, 256, None, {})


def invoke(function: str, event: dict[str, Any]) -> Invocation:
    if event == {"fail": True}:
        return failed("r", 0.1, FunctionError("RuntimeError", "fault"))
    if event == {"large": True}:
        raise EventTooLarge("too large")
    return Invocation("r", 0.1, {function: event})


@pytest.fixture(params=["in this process", "over HTTP"])
def client(request: pytest.FixtureRequest) -> Any:
    def nothing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("418 I'm a teapot", [])
        return [b"moto"]

    if request.param == "in this process":
        yield Client(answered(nothing, TEMPLATE, invoke))
        return
    with serve(application_of(invoke)) as url:
        yield Client(answered(nothing, TEMPLATE, over_http(url)))


def post(client: Client, name: str, body: str) -> Any:
    return client.post(f"/2015-03-31/functions/{name}/invocations", data=body)


def test_a_function_answers_by_its_name_in_aws(client):
    done = post(client, "shop-test-parse", '{"a": 1}')
    assert (done.status_code, done.json) == (200, {"parse": {"a": 1}})
    assert "x-amz-function-error" not in done.headers


def test_a_function_that_fails_answers_200_with_a_header(client):
    done = post(client, "shop-test-parse", '{"fail": true}')
    assert (done.status_code, done.headers["x-amz-function-error"]) == (200, "Unhandled")
    assert done.json["errorMessage"] == "fault"


@pytest.mark.parametrize(("name", "body", "status"), [("parse", "{}", 404), ("shop-test-parse", "{", 400)])
def test_no_such_function_and_no_json(client, name, body, status):
    assert post(client, "shop-test-parse", "{}").status_code == 200
    assert post(client, name, body).status_code == status


def test_a_large_event_is_refused():
    client = Client(answered(lambda environ, start_response: [], TEMPLATE, invoke))
    assert post(client, "shop-test-parse", "{}").status_code == 200
    assert post(client, "shop-test-parse", '{"large": true}').status_code == 413


def test_every_other_call_goes_on_to_moto(client):
    assert client.get("/bucket/key").status_code == 418
