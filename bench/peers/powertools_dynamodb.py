"""Peer B: Powertools for AWS Lambda (event handler, logger, idempotency on DynamoDB), upstash-redis and boto3, each as
its own documentation shows it.

A limit for each address, the signature as Meta's guide computes it, one idempotent call a message that puts it into
the FIFO queue, 200.
"""

import hashlib
import hmac
import json
import os

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.exceptions import ServiceError, UnauthorizedError
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function
from upstash_redis import Redis

APP_SECRET = os.environ["META_APP_SECRET"].encode()
CALLS_A_MINUTE = 100_000

logger = Logger(service="webhook")
app = APIGatewayHttpResolver()
redis = Redis(url=os.environ["UPSTASH_REDIS_REST_URL"], token=os.environ["UPSTASH_REDIS_REST_TOKEN"])
sqs = boto3.client("sqs")
idempotency = IdempotencyConfig(event_key_jmespath="id")


@app.post("/webhook/meta")
def receive():
    limit(app.current_event.request_context.http.source_ip)
    body = verified()
    for entry in body["entry"]:
        for change in entry["changes"]:
            for message in change["value"].get("messages", []):
                enqueue(message=message)
    logger.info("answered")
    return {"ok": True}


@app.post("/guard-alone")
def guard_alone_route():
    return {"entries": len(verified())}


@idempotent_function(
    data_keyword_argument="message",
    config=idempotency,
    persistence_store=DynamoDBPersistenceLayer(table_name="idempotency"),
)
def enqueue(message):
    sqs.send_message(
        QueueUrl=os.environ["REPLY_QUEUE_URL"],
        MessageBody=json.dumps(message),
        MessageGroupId=message["from"],
        MessageDeduplicationId=hashlib.sha256(message["id"].encode()).hexdigest(),
    )
    return {"id": message["id"]}


def limit(address):
    calls, _ = redis.pipeline().incr(f"calls:{address}").expire(f"calls:{address}", 60).exec()
    if calls > CALLS_A_MINUTE:
        raise ServiceError(429, "Too many requests")


def verified():
    event = app.current_event
    raw = (event.decoded_body or "").encode()
    expected = "sha256=" + hmac.new(APP_SECRET, raw, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, event.headers.get("x-hub-signature-256", "")):
        raise UnauthorizedError("Unauthorized")
    return event.json_body


def handler(event, context):
    idempotency.register_lambda_context(context)
    return app.resolve(event, context)


def guard_alone(event, context):
    """From the event to the parsed body, without any call."""
    http = {**event["requestContext"]["http"], "path": "/guard-alone"}
    return app.resolve(
        {**event, "rawPath": "/guard-alone", "requestContext": {**event["requestContext"], "http": http}}, context
    )
