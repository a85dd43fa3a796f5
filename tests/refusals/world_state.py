"""What a refused call must not change: the database, the queues, the bucket, and what was sent to anybody.

Left out: Redis, whose rate counters expire by themselves; and quarantined deliveries of Mercado Pago, which are kept
on purpose and have no effect.
"""

import hashlib
import json
from typing import Any

from local.world import World

TABLES = "select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'"


def state_of(world: World) -> dict[str, Any]:
    """A value that is equal before and after a call that had no effect."""
    sqs, s3 = world.cloud.client("sqs"), world.cloud.client("s3")
    counters = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    return {
        "tables": {name: _digest(world, name) for name in sorted(row["table_name"] for row in world.rows(TABLES))},
        "queues": {
            name: sqs.get_queue_attributes(QueueUrl=world.cloud.queue_url(name), AttributeNames=counters)["Attributes"]
            for name in sorted(world.template.queues)
        },
        "objects": {
            bucket.name: len(s3.list_objects_v2(Bucket=bucket.name).get("Contents", []))
            for bucket in world.template.buckets.values()
        },
        "sent": len(world.sent()),
    }


def _digest(world: World, table: str) -> str:
    rows = world.rows(f"select to_jsonb(t)::text as row from public.{table} t order by 1")
    kept = [row["row"] for row in rows if json.loads(row["row"]).get("trusted") is not False]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()
