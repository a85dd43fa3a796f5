"""Which values the functions get in the offline world, and which of them a person's own environment replaces.

A real Supabase project, a real model or a real Redis takes the place of the local one when its address is set:
SUPABASE_URL (with SUPABASE_PUBLISHABLE_KEY and SUPABASE_SECRET_KEY), AI_BASE_URL (with AI_API_KEY, AI_MODEL and
EMBEDDING_MODEL), REDIS_URL.
"""

import json
import os
from collections.abc import Mapping

from local.payloads import DEMO_APP_ID
from local.plan import REGION, SERVICE, STAGE, Plan

GRAPH_VERSION = "v24.0"
CONSOLE_ORIGIN = "http://localhost:5173"

# An address from outside, and the names that must come with it: a local key is of no use to a real service.
OUTSIDE = {
    "SUPABASE_URL": ("SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY"),
    "AI_BASE_URL": ("AI_API_KEY",),
}


def overrides(plan: Plan, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment names of the functions that differ from serverless.yml: name -> local value."""
    values = {
        "SUPABASE_URL": plan.url("supabase"),
        "SUPABASE_PUBLISHABLE_KEY": plan.keys.publishable,
        "UPSTASH_REDIS_REST_URL": plan.url("upstash"),
        "META_GRAPH_URL": f"{plan.url('meta')}/{GRAPH_VERSION}",
        "INSTAGRAM_GRAPH_URL": f"{plan.url('meta')}/{GRAPH_VERSION}",
        "MEDIA_HOSTS": plan.url("meta"),
        "META_APP_ID": DEMO_APP_ID,
        "AI_BASE_URL": f"{plan.url('model')}/v1",
        "ALLOWED_ORIGINS": CONSOLE_ORIGIN,
        "PUBLIC_URL": plan.url("gateway"),
        "LOCAL_KEY_FILE": str(plan.master_keys),
    }
    from_outside = ("SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY", "AI_BASE_URL", "AI_MODEL", "EMBEDDING_MODEL")
    return values | {name: environ[name] for name in from_outside if _is_used(name, environ)}


def server_variables(plan: Plan, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a job that is no function but calls the database as one does: the seed, a rotation."""
    values = overrides(plan, environ)
    return {name: values[name] for name in ("SUPABASE_URL", "LOCAL_KEY_FILE")} | {
        "PARAMETER_PREFIX": f"/{SERVICE}/{STAGE}",
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_ENDPOINT_URL": plan.url("aws"),
        # Somebody's own, which would be meant for another world.
        "KMS_KEY_ID": "",
    }


def secret_parameters(plan: Plan, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`plan.secret_parameters()` with the keys of the services from outside."""
    parameters = plan.secret_parameters()
    for name in ("SUPABASE_SECRET_KEY", "AI_API_KEY"):
        if _is_used(name, environ):
            parameters[name] = json.dumps([{"value": environ[name], "expires": None}])
    return parameters


def missing_names(environ: Mapping[str, str] = os.environ) -> list[str]:
    """The names that an address from outside needs and that are not set."""
    return [
        name for address, names in OUTSIDE.items() if environ.get(address) for name in names if not environ.get(name)
    ]


def _is_used(name: str, environ: Mapping[str, str]) -> bool:
    """A key or model name counts only together with its address, so that a stray one in a shell changes nothing."""
    address = "SUPABASE_URL" if name.startswith("SUPABASE") else "AI_BASE_URL"
    return bool(environ.get(address)) and bool(environ.get(name))
