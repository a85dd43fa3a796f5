"""The offline world inside one process: every part in a thread, the handlers in the caller's process.

For tests: real PostgreSQL with the real migrations, real signatures, SQS semantics, and an HTTP gateway in front of
the handlers. Nothing moves by itself: `settle()` runs queues and callbacks until all is quiet.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from local import aws, environment, gateway, meta, model, moto_state, payloads, redis_server, upstash
from local.aws import Cloud
from local.in_process import InProcess
from local.migrations import migrate
from local.plan import ACCOUNT, PARTS, PROJECT, REGION, STAGE, Keys, Plan, make_master_keys
from local.ports import free_port
from local.postgres import Cluster, temporary_cluster
from local.pump import Pump
from local.runtime import Invocation
from local.schedules import Schedules
from local.seed import Owner, seed
from local.serve import serve
from local.supabase import SupabaseKeys, application, bootstrap
from local.template import Template, load_template
from shared.abuse import quarantine
from shared.cloud import parameters, transport
from shared.data import billing_events, credentials

SEEDED = "seeded"
MAXIMUM_ROUNDS = 20
# Deletes what counts calls a minute: the keys of plain rates, and the fields of tenants' admissions that are rates.
FORGET_RATES = """
for _, key in ipairs(redis.call('KEYS', 'rate:*')) do redis.call('DEL', key) end
for _, key in ipairs(redis.call('KEYS', 'portero:t:*')) do
  if redis.call('TYPE', key).ok == 'hash' then
    for _, name in ipairs(redis.call('HKEYS', key)) do
      if name:sub(1, 2) == 'r:' then redis.call('HDEL', key, name) end
    end
  end
end
"""


class World:
    """A running world. `owner` is the demo shop's owner, signed in."""

    def __init__(
        self, plan: Plan, cluster: Cluster, template: Template, cloud: Cloud, variables: dict[str, dict[str, str]]
    ) -> None:
        self.plan = plan
        self.cluster = cluster
        self.template = template
        self.cloud = cloud
        self.variables = variables
        self.functions = InProcess(template, variables)
        self.pump = Pump(
            template, self.invoke, cloud.client("sqs"), cloud.resolve, has_messages=moto_state.has_messages
        )
        self.schedules = Schedules(template, self.invoke, cloud.client("ssm"))
        self.client = httpx.Client(timeout=30)
        self.database = SEEDED
        self.owner: Owner
        self._resets = 0

    def dsn(self, role: str) -> str:
        """Where the database of the current test is."""
        return self.cluster.dsn(role, self.database)

    def leave_seeded_database(self) -> None:
        """Close what the seed left open, since a database that is copied must be nobody's.

        What the seed used was counted by a Redis that every reset forgets, so the budgets were never opened either.
        """
        self.database = SEEDED
        self._forget_usage()
        self.database = "postgres"
        self.rows("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", SEEDED)

    def reset(self) -> None:
        """A world in which nothing has happened since the seed."""
        previous = self.database
        self._resets += 1
        self.database = f"test_{self._resets}"
        self.cluster.create_database(self.database, template=SEEDED)
        if previous != "postgres":
            self.cluster.drop_database(previous)
        self.cloud.reset()
        for part in ("meta", "model"):
            self.client.post(f"{self.plan.url(part)}/_local/reset").raise_for_status()
        self.redis("FLUSHALL")
        self._start_environments_anew()

    def forget_rates(self) -> None:
        """Rates are for people, and a test asks more often; what was used stays counted."""
        self.redis("EVAL", FORGET_RATES, "0")
        for name, module in sys.modules.items():
            if name.partition(".")[0] == "functions" and hasattr(module, "GUARD"):
                module.GUARD.forget_rate()

    def _forget_usage(self) -> None:
        self.redis("FLUSHALL")
        self.rows("delete from usage_ledger")
        self.rows("delete from tenant_budgets")
        self.rows("update provider_budgets set epoch = 0, token = null, opens_at = null")

    def _start_environments_anew(self) -> None:
        """Functions keep rates, secrets and data keys in their process; a fresh world has fresh processes."""
        for name in [name for name in sys.modules if name.partition(".")[0] == "functions"]:
            del sys.modules[name]
        quarantine.forget()
        billing_events.forget()
        parameters.forget()
        transport.forget()
        credentials.forget()

    def redis(self, *command: str) -> Any:
        """One command at the Upstash bridge."""
        headers = {"authorization": f"Bearer {self.plan.keys.upstash}"}
        answer = self.client.post(self.plan.url("upstash"), json=command, headers=headers)
        return answer.raise_for_status().json()["result"]

    def rows(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """What is in the database, seen by a superuser. For looking at effects."""
        with psycopg.connect(self.cluster.dsn(database=self.database), row_factory=dict_row, autocommit=True) as admin:
            cursor = admin.execute(query, arguments)
            # A query without columns has rows too, and a description that is empty.
            return cursor.fetchall() if cursor.description is not None else []

    def receive(self, body: bytes | dict[str, Any], **headers: str) -> httpx.Response:
        """A webhook from Meta: signed unless the headers say otherwise. Who wrote may be answered for 24 hours."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        if isinstance(body, dict):
            self._open_windows(body)
        signed = {"x-hub-signature-256": payloads.sign(raw, self.plan.keys.meta_app_secret)}
        return self.call("POST", "/webhook/meta", content=raw, headers=signed | headers)

    def _open_windows(self, body: dict[str, Any]) -> None:
        for entry in body["entry"]:
            for value in (change["value"] for change in entry.get("changes", [])):
                for message in value.get("messages", [])[:20]:
                    contact = message.get("from") or message.get("from_user_id")
                    self._open_window(value["metadata"]["phone_number_id"], contact)
            for event in entry.get("messaging", [])[:20]:
                if event["recipient"]["id"] == entry["id"]:
                    self._open_window(entry["id"], event["sender"]["id"])

    def _open_window(self, number: str, contact: str) -> None:
        window = {"number": number, "contact": contact}
        self.client.post(f"{self.plan.url('meta')}/_local/open_window", json=window)

    def conversation(self) -> str:
        """The id of a conversation of the demo shop, which is begun here where there is none."""
        known = "select id::text from conversations order by created_at limit 1"
        if not self.rows(known):
            self.receive(payloads.whatsapp_message(payloads.text("hola")))
        return str(self.rows(known)[0]["id"])

    def media(self) -> str:
        """The id of something that a customer of the demo shop sent, which is there from here on."""
        known = "select id::text from media where state = 'kept' order by created_at limit 1"
        if not self.rows(known):
            self.conversation()
            self.rows(
                "insert into media (id, tenant_id, message_id, place, kind, state, media_type, bytes, object_key)"
                " select m.id, m.tenant_id, m.id, 0, 'image', 'kept', 'image/png', 1, m.tenant_id || '/' || m.id"
                " from messages m order by m.created_at limit 1"
            )
        return str(self.rows(known)[0]["id"])

    def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """One HTTP request to the gateway; JSON unless the arguments say otherwise."""
        headers = {"content-type": "application/json"} | dict(arguments.pop("headers", {}))
        return self.client.request(method, self.plan.url("gateway") + path, headers=headers, **arguments)

    def call_as_owner(self, path: str, body: dict[str, Any], owner: Owner | None = None) -> httpx.Response:
        """A call from the console."""
        token = (owner or self.owner).access_token
        return self.call("POST", path, json=body, headers={"authorization": f"Bearer {token}"})

    def invoke(self, function: str, event: dict[str, Any]) -> Invocation:
        """Hand a function an event directly, as an AWS principal could."""
        return self.functions.invoke(function, event)

    @contextmanager
    def as_server(self) -> Iterator[None]:
        """Within the block this thread may call shared/ as a function of the server does."""
        with self.functions.seeing(environment.server_variables(self.plan, {})):
            yield

    def settle(self) -> None:
        """Run queues and Meta's callbacks until nothing is left to do."""
        for _ in range(MAXIMUM_ROUNDS):
            records = self.pump.drain()
            flushed = self.client.post(f"{self.plan.url('meta')}/_local/flush").json()["delivered"]
            if not records and flushed == getattr(self, "_flushed", 0):
                return
            self._flushed = flushed
        raise AssertionError("the world does not come to rest")

    def sent(self) -> list[dict[str, Any]]:
        """What Meta accepted, in order."""
        sent: list[dict[str, Any]] = self.client.get(f"{self.plan.url('meta')}/_local/sent").json()["sent"]
        return sent

    @contextmanager
    def away(self, part: str) -> Iterator[None]:
        """Within the block the functions find nobody where a part of the plan ("supabase", "aws", "meta", ...) was."""
        gone, here = f"http://127.0.0.1:{free_port()}", self.plan.url(part)
        before = {name: dict(variables) for name, variables in self.variables.items()}
        for variables in self.variables.values():
            for name, value in variables.items():
                variables[name] = value.replace(here, gone)
        try:
            yield
        finally:
            for name, variables in before.items():
                self.variables[name].update(variables)

    def script(self, part: str, **told: Any) -> None:
        """Tell the simulator of Meta or of the model how to misbehave."""
        self.client.post(f"{self.plan.url(part)}/_local/script", json=told).raise_for_status()


@contextmanager
def running_world(version: str = "16", project: Path = PROJECT) -> Iterator[World]:
    """A seeded world on free ports, with a database server of its own."""
    with ExitStack() as stack:
        cluster = stack.enter_context(temporary_cluster(version))
        folder = Path(stack.enter_context(TemporaryDirectory()))
        ports = {part: free_port() for part in PARTS} | {"postgres": cluster.port}
        plan = Plan(ports, Keys(), folder / "master_keys.json")
        make_master_keys(plan.master_keys)
        template = load_template(project / "serverless.yml", STAGE, REGION, ACCOUNT)
        cloud = Cloud(plan.url("aws"), template, environment.secret_parameters(plan, {}))
        values = environment.overrides(plan, {})
        variables = {
            name: template.environment_for(name, cloud.resolve, values, cloud.url) for name in template.functions
        }
        world = World(plan, cluster, template, cloud, variables)
        stack.callback(world.functions.stop)
        stack.callback(world.client.close)
        _make_database(cluster)
        _serve_parts(stack, world)
        cloud.create()
        with world.as_server():
            world.owner = seed(plan)
        world.database = SEEDED
        # A test that is not about bursts does not wait for the end of one.
        world.rows("update tenants set quiet_seconds = 0")
        world.leave_seeded_database()
        yield world


def _make_database(cluster: Cluster) -> None:
    cluster.create_database(SEEDED)
    with psycopg.connect(cluster.dsn(database=SEEDED), autocommit=True) as admin:
        bootstrap(admin)
    with psycopg.connect(cluster.dsn("postgres", SEEDED), autocommit=True) as owner:
        migrate(owner, PROJECT / "supabase" / "migrations")


def _serve_parts(stack: ExitStack, world: World) -> None:
    plan, keys = world.plan, world.plan.keys
    supabase_keys = SupabaseKeys(keys.publishable, keys.secret, keys.signing_key_pem)
    webhook = f"{plan.url('gateway')}/webhook/meta"
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="portero-redis-")))
    applications = {
        "supabase": application(world.dsn, supabase_keys, plan.url("supabase"), local=True),
        "upstash": upstash.application(keys.upstash, stack.enter_context(redis_server.running(folder)).url),
        "meta": meta.application(
            [keys.meta_access_token],
            keys.meta_app_secret,
            webhook,
            numbers=meta.demo_numbers(keys.meta_channel_token),
            deliver_at_once=False,
        ),
        "model": model.application(keys.model),
        "gateway": gateway.application(world.template, world.invoke),
    }
    stack.enter_context(aws.serve(plan.ports["aws"]))
    for part, app in applications.items():
        stack.enter_context(serve(app, plan.ports[part]))
