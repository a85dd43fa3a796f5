"""Peer A: FastAPI and Mangum, supabase-py, upstash-redis, boto3 and Sentry, each as its own documentation shows it.

A limit for each address, the signature as Meta's guide computes it, one row a message (duplicates ignored), one
message in the FIFO queue for each new row, 200.
"""

import hashlib
import hmac
import json
import os

import boto3
import sentry_sdk
from fastapi import FastAPI, HTTPException, Request
from mangum import Mangum
from supabase import create_client
from upstash_redis import Redis

sentry_sdk.init(dsn=os.environ["SENTRY_DSN"])

APP_SECRET = os.environ["META_APP_SECRET"].encode()
CALLS_A_MINUTE = 100_000

app = FastAPI()
database = create_client(os.environ["SUPABASE_URL"], os.environ["SUPABASE_SECRET_KEY"])
redis = Redis(url=os.environ["UPSTASH_REDIS_REST_URL"], token=os.environ["UPSTASH_REDIS_REST_TOKEN"])
sqs = boto3.client("sqs")


@app.post("/webhook/meta")
async def receive(request: Request):
    limit(request.client.host)
    body = await verified(request)
    rows = [
        {"id": message["id"], "phone_number_id": change["value"]["metadata"]["phone_number_id"], "message": message}
        for entry in body["entry"]
        for change in entry["changes"]
        for message in change["value"].get("messages", [])
    ]
    if rows:
        kept = database.table("messages").upsert(rows, on_conflict="id", ignore_duplicates=True).execute()
        for row in kept.data:
            sqs.send_message(
                QueueUrl=os.environ["REPLY_QUEUE_URL"],
                MessageBody=json.dumps({"id": row["id"]}),
                MessageGroupId=row["message"]["from"],
                MessageDeduplicationId=hashlib.sha256(row["id"].encode()).hexdigest(),
            )
    return {"ok": True}


@app.post("/guard-alone")
async def guard_alone_route(request: Request):
    return {"entries": len(await verified(request))}


def limit(address):
    calls, _ = redis.pipeline().incr(f"calls:{address}").expire(f"calls:{address}", 60).exec()
    if calls > CALLS_A_MINUTE:
        raise HTTPException(429)


async def verified(request):
    raw = await request.body()
    expected = "sha256=" + hmac.new(APP_SECRET, raw, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("x-hub-signature-256", "")):
        raise HTTPException(401)
    return await request.json()


handler = Mangum(app, lifespan="off")


def guard_alone(event, context):
    """From the event to the parsed body, without any call."""
    http = {**event["requestContext"]["http"], "path": "/guard-alone"}
    return handler(
        {**event, "rawPath": "/guard-alone", "requestContext": {**event["requestContext"], "http": http}}, context
    )
