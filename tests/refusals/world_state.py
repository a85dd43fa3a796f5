"""What a refused call must not change: the database, the queues, the bucket, and what was sent to anybody.

Left out: Redis, whose rate counters expire by themselves; and quarantined deliveries of Mercado Pago, which are kept
on purpose and have no effect.
"""

import hashlib
import json
from typing import Any

from local import moto_state
from local.world import World

TABLES = "select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'"


def state_of(world: World) -> dict[str, Any]:
    """A value that is equal before and after a call that had no effect."""
    s3 = world.cloud.client("s3")
    return {
        "tables": _digests(world),
        "queues": moto_state.message_counts(),
        "objects": {
            bucket.name: len(s3.list_objects_v2(Bucket=bucket.name).get("Contents", []))
            for bucket in world.template.buckets.values()
        },
        "sent": len(world.sent()),
    }


def _digests(world: World) -> dict[str, str]:
    """A digest of each table, read in one query."""
    names = sorted(row["table_name"] for row in world.rows(TABLES))
    whole = " union all ".join(
        f"select '{name}' as name, to_jsonb(t)::text as row from public.{name} t" for name in names
    )
    rows: dict[str, list[str]] = {name: [] for name in names}
    for found in world.rows(whole):
        if json.loads(found["row"]).get("trusted") is not False:
            rows[found["name"]].append(found["row"])
    return {name: hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest() for name, texts in rows.items()}
