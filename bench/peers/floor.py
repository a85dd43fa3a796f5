"""The floor: one file, the standard library only, the same work as webhook_meta and nothing that makes it safe.

HMAC over the body, parse, one POST that keeps the messages, one signed POST that queues them, 200. No deadline, no
limits, no masking, no second secret: what remains is what the work itself costs.
"""

import base64
import functools
import hashlib
import hmac
import http.client
import json
import logging
import os
import ssl
import time
from urllib.parse import urlsplit

log = logging.getLogger()

APP_SECRET = os.environ["META_APP_SECRET"].encode()
SUPABASE_KEY = os.environ["SUPABASE_SECRET_KEY"]
DATABASE = os.environ["SUPABASE_URL"]
QUEUE = os.environ["REPLY_QUEUE_URL"]
REGION = os.environ["AWS_REGION"]


@functools.cache
def tls():
    return ssl.create_default_context()


@functools.cache
def connection(scheme, place):
    if scheme == "https":
        return http.client.HTTPSConnection(place, context=tls())
    return http.client.HTTPConnection(place)


def post(url, headers, body):
    parts = urlsplit(url)
    kept = connection(parts.scheme, parts.netloc)
    try:
        kept.request("POST", parts.path or "/", body, headers)
        answer = kept.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException):
        kept.close()
        raise
    if answer.status >= 300:
        raise RuntimeError(f"upstream answered {answer.status}")
    return json.loads(content)


def keep(messages):
    items = [
        {
            "channel": "whatsapp",
            "channel_id": number,
            "kind": "message",
            "key": f"{number}:{message['id']}",
            "item": message,
            "contact": {"id": message["from"]},
            "type": message["type"],
            "provider_id": message["id"],
        }
        for number, message in messages
    ]
    headers = {"apikey": SUPABASE_KEY, "content-type": "application/json"}
    return post(f"{DATABASE}/rest/v1/rpc/keep_inbox", headers, json.dumps({"p_items": items}).encode())


def queue(turns, cause):
    entries = [
        {
            "Id": str(place),
            "MessageBody": json.dumps(turn),
            "MessageGroupId": turn["conversation"],
            "MessageDeduplicationId": hashlib.sha256(f"{turn} {cause}".encode()).hexdigest(),
        }
        for place, turn in enumerate(turns)
    ]
    parts = urlsplit(QUEUE)
    body = json.dumps({"QueueUrl": QUEUE, "Entries": entries}).encode()
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "host": parts.netloc,
        "x-amz-target": "AmazonSQS.SendMessageBatch",
    }
    post(f"{parts.scheme}://{parts.netloc}/", signed(headers, body), body)


def signed(headers, body):
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    headers = {**headers, "x-amz-date": stamp}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{stamp[:8]}/{REGION}/sqs/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in (stamp[:8], REGION, "sqs", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
    credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/{scope}"
    authorization = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": authorization}


def verified(event):
    """The body's bytes when the signature is right, else None."""
    text = event.get("body") or ""
    raw = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    expected = "sha256=" + hmac.new(APP_SECRET, raw, "sha256").hexdigest()
    return raw if hmac.compare_digest(expected, event["headers"].get("x-hub-signature-256", "")) else None


def handler(event, context):
    raw = verified(event)
    if raw is None:
        return {"statusCode": 401, "body": "{}"}
    body = json.loads(raw)
    messages = [
        (change["value"]["metadata"]["phone_number_id"], message)
        for entry in body["entry"]
        for change in entry["changes"]
        for message in change["value"].get("messages", [])
    ]
    kept = keep(messages)
    queue(kept["turns"], hashlib.sha256(raw).hexdigest())
    log.info(json.dumps({"event": "answered", "kept": kept["kept"]}))
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"kept": kept["kept"]}),
    }


def guard_alone(event, context):
    """From the event to the parsed body, without any call."""
    raw = verified(event)
    return {"statusCode": 401} if raw is None else {"statusCode": 200, "body": str(len(json.loads(raw)))}
