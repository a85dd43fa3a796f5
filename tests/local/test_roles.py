"""The local AWS answers by the role of the function that signs, as IAM and each service would."""

import httpx
import pytest

from local.roles import Call, Statement, allows, roles_of
from local.template import load_template
from local.world import World
from shared import clock
from shared.cloud import aws, functions, objects, parameters, queues
from shared.cloud.signature import Credentials, presigned_url, sign
from shared.cloud.transport import Answer
from shared.errors import Unavailable
from shared.settings import Secret


def seeing(world: World, function: str):
    return world.functions.seeing(world.variables[function])


def put(world: World, key: str = "shop/menu") -> None:
    bucket = world.variables["queue_ingest"]["KNOWLEDGE_BUCKET"]
    world.cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=b"arepa")


def get(world: World, key: str = "shop/menu") -> Answer:
    url = f"{world.plan.url('aws')}/{world.variables['queue_ingest']['KNOWLEDGE_BUCKET']}/{key}"
    return aws.signed("GET", url, {}, b"", "s3", 5, 1024)


def test_a_missing_object_is_forbidden_without_list_permission(world):
    put(world)
    with seeing(world, "queue_ingest"):
        assert (get(world).status, get(world).body) == (200, b"arepa")
        missing = get(world, "shop/other")
    assert (missing.status, b"<Code>AccessDenied</Code>" in missing.body) == (403, True)
    with seeing(world, "webhook_meta"):
        forbidden = get(world)
    assert forbidden == missing
    with world.as_server():
        assert get(world, "shop/other").status == 404


@pytest.mark.parametrize(("function", "may"), [("queue_ingest", True), ("app_media", False)])
def test_only_a_role_with_the_permission_deletes(world, function, may):
    put(world)
    with seeing(world, "queue_ingest"):
        variables = {"KNOWLEDGE_BUCKET": world.variables["queue_ingest"]["KNOWLEDGE_BUCKET"]}
    with world.functions.seeing(world.variables[function] | variables):
        if may:
            objects.delete("knowledge", "shop/menu", 5)
        else:
            with pytest.raises(Unavailable, match="s3_refused"):
                objects.delete("knowledge", "shop/menu", 5)
    with seeing(world, "queue_ingest"):
        assert get(world).status == (403 if may else 200)


@pytest.mark.parametrize(("name", "may"), [(Secret.META_APP_SECRET, True), (Secret.AI_API_KEY, False)])
def test_a_role_reads_its_own_secrets_only(world, name, may):
    with seeing(world, "webhook_meta"):
        if may:
            assert parameters.live(name)
        else:
            with pytest.raises(Unavailable, match="ssm_refused"):
                parameters.live(name)


@pytest.mark.parametrize(("queue", "may"), [("reply", True), ("send", False)])
def test_a_role_sends_to_its_own_queues_only(world, queue, may):
    variables = {"SEND_QUEUE_URL": world.variables["cron_recover"]["SEND_QUEUE_URL"]}
    with world.functions.seeing(world.variables["webhook_meta"] | variables):
        wakes = [queues.Wake({"tenant": "t"}, "group", "once")]
        if may:
            queues.send(queue, wakes, 5)
        else:
            with pytest.raises(Unavailable, match="sqs_refused"):
                queues.send(queue, wakes, 5)


@pytest.mark.parametrize(("function", "may"), [("queue_ingest", True), ("app_upload", False), ("queue_media", False)])
def test_only_the_caller_invokes_an_internal_function(world, function, may):
    name = world.variables["queue_ingest"]["READ_FILE_FUNCTION"]
    with seeing(world, function):
        if may:
            assert functions.invoke(name, {}, 5)["errorMessage"] == "body_invalid"
        else:
            with pytest.raises(Unavailable, match="lambda_refused"):
                functions.invoke(name, {}, 5)
    with seeing(world, "queue_ingest"), pytest.raises(Unavailable, match="lambda_refused"):
        functions.invoke("portero-local-cron_recover", {}, 5)


def test_an_internal_function_may_do_nothing(world):
    put(world)
    url = f"{world.plan.url('aws')}/{world.variables['queue_ingest']['KNOWLEDGE_BUCKET']}/shop/menu"
    with seeing(world, "internal_read_file"):
        assert aws.signed("GET", url, {}, b"", "s3", 5, 1024).status == 403
        assert aws.signed("PUT", url, {}, b"x", "s3", 5, 1024).status == 403
        with pytest.raises(Unavailable, match="ssm_refused"):
            parameters.live(Secret.QUEUE_KEY)
    assert world.template.functions["internal_read_file"].statements == ()
    with seeing(world, "queue_ingest"):
        assert aws.signed("GET", url, {}, b"", "s3", 5, 1024).status == 200


def test_a_form_puts_what_its_signer_may_put(world):
    bucket = {"KNOWLEDGE_BUCKET": world.variables["queue_ingest"]["KNOWLEDGE_BUCKET"]}
    for function, status in (("app_upload", 204), ("queue_ingest", 403)):
        with world.functions.seeing(world.variables[function] | bucket):
            url, fields = objects.form("knowledge", "shop/menu", "text/plain", 5)
        assert httpx.post(url, data=fields, files={"file": ("file", b"arepa")}).status_code == status


@pytest.mark.parametrize(("key", "secret"), [("nobody", "local"), ("queue_ingest", "guess")])
def test_a_wrong_key_or_signature_is_forbidden(world, key, secret):
    put(world)
    url = f"{world.plan.url('aws')}/{world.variables['queue_ingest']['KNOWLEDGE_BUCKET']}/shop/menu"

    def status(credentials: Credentials) -> int:
        headers = sign("GET", url, {}, b"", service="s3", region="sa-east-1", credentials=credentials, now=clock.now())
        return httpx.get(url, headers=headers).status_code

    assert status(Credentials("queue_ingest", "local")) == 200
    assert status(Credentials(key, secret)) == 403


@pytest.mark.parametrize(
    ("function", "change", "age", "status"),
    [
        ("queue_ingest", "", 0, 200),
        ("queue_ingest", "", 61, 403),
        ("queue_ingest", "&response-content-type=text/html", 0, 403),
        ("webhook_meta", "", 0, 403),
    ],
)
def test_a_presigned_url_ends_and_covers_what_it_signs(world, function, change, age, status):
    put(world)
    url = f"{world.plan.url('aws')}/{world.variables['queue_ingest']['KNOWLEDGE_BUCKET']}/shop/menu"
    signed = presigned_url(
        url, {}, region="sa-east-1", credentials=Credentials(function, "local"), now=clock.now() - age, seconds=60
    )
    assert httpx.get(signed + change).status_code == status
    assert httpx.get(url).status_code == 403


def test_conditions_and_patterns():
    role = (
        Statement(("kms:Decrypt",), ("arn:key",), {"kms:EncryptionContext:purpose": "credentials"}),
        Statement(("s3:Get*",), ("arn:aws:s3:::b/t/*",), {}),
    )
    context = {"kms:EncryptionContext:purpose": "credentials"}
    assert allows(role, Call("kms:Decrypt", ("arn:key",), context))
    assert not allows(role, Call("kms:Decrypt", ("arn:key",), {}))
    assert not allows(role, Call("kms:Encrypt", ("arn:key",), context))
    assert allows(role, Call("s3:GetObject", ("arn:aws:s3:::b/t/x",)))
    assert not allows(role, Call("s3:GetObject", ("arn:aws:s3:::b/t/x", "arn:aws:s3:::b/u/x")))
    assert not allows(role, Call("s3:GetObject", ()))


@pytest.mark.parametrize(
    ("change", "understood"),
    [("", True), ("NotAction: x, ", False), ("Condition: {Bool: {a: b}}, ", False), ("Effect: Deny, ", False)],
)
def test_a_statement_that_is_not_understood_is_an_error(tmp_path, change, understood):
    effect = "" if "Effect" in change else "Effect: Allow, "
    statement = f"{{{effect}{change}Action: 's3:GetObject', Resource: '*'}}"
    (tmp_path / "serverless.yml").write_text(
        "service: s\nprovider: {name: aws, runtime: python3.13}\nfunctions:\n  f:\n    handler: f.h\n"
        f"    iamRoleStatements: [{statement}]\n"
    )
    template = load_template(tmp_path / "serverless.yml", "test", "sa-east-1", "123456789012")
    if understood:
        assert roles_of(template, lambda value: "")["f"] == (Statement(("s3:GetObject",), ("*",), {}),)
    else:
        with pytest.raises(ValueError, match="not understood"):
            roles_of(template, lambda value: "")
