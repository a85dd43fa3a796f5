"""The processes of the offline world: `python -m local.parts <name>` runs one until its parent ends.

`make dev` starts them; each finds its addresses and keys in .local/plan.json.
"""

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from local import environment
from local.plan import ACCOUNT, PROJECT, REGION, STAGE, STATE, Plan, load

if TYPE_CHECKING:
    from local.postgres import Cluster

# Each part imports what it needs when it runs, so that none pays the memory and the seconds of another.

PLAN_FILE = STATE / "plan.json"
READY = STATE / "ready"  # one empty file for each part whose readiness no address shows
LOGS = STATE / "logs"
DATABASE = "postgres"
RETRY_SECONDS = 2  # a failed message comes back after its visibility timeout, which is minutes; nobody wants to wait


def run_postgres(plan: Plan) -> None:
    """The database server; ready when the migrations are applied."""
    import psycopg

    from local.migrations import migrate
    from local.supabase import bootstrap

    end = _asked_to_end()
    cluster = cluster_of(plan)
    _forget_data_of_a_removed_world(cluster)
    cluster.start()
    try:
        with psycopg.connect(cluster.dsn(database=DATABASE)) as connection:
            bootstrap(connection)
        with psycopg.connect(cluster.dsn("postgres", DATABASE)) as connection:
            for name in migrate(connection, PROJECT / "supabase" / "migrations"):
                print(f"Applied {name}")
        _mark_ready("postgres")
        end.wait()
    finally:
        cluster.stop()


def run_supabase(plan: Plan) -> None:
    """The Supabase-compatible API."""
    from local.serve import run
    from local.supabase import SupabaseKeys, application

    cluster = cluster_of(plan)  # never started here: it knows the connection strings
    keys = SupabaseKeys(plan.keys.publishable, plan.keys.secret, plan.keys.signing_key_pem)
    app = application(lambda role: cluster.dsn(role, DATABASE), keys, plan.url("supabase"), local=True)
    run({plan.ports["supabase"]: app})


def run_aws(plan: Plan) -> None:
    """SQS, S3, SSM and Lambda's Invoke; ready when they hold what serverless.yml declares."""
    from local import aws, invocations
    from local.template import load_template

    end = _asked_to_end()
    template = load_template(PROJECT / "serverless.yml", STAGE, REGION, ACCOUNT)
    with aws.serve(plan.ports["aws"], template, invocations.over_http(plan.url("functions"))) as url:
        aws.Cloud(url, template, environment.secret_parameters(plan)).create()
        _mark_ready("aws")
        end.wait()


def run_simulators(plan: Plan) -> None:
    """Upstash, Meta and the model in one process, with a Redis beside it that outlives a stop, as the database does."""
    from local import meta, model, redis_server, upstash
    from local.serve import run

    webhook_url = f"{plan.url('gateway')}/webhook/meta"
    with ExitStack() as stack:
        redis_url = os.environ.get("REDIS_URL")
        if not redis_url:
            redis_url = stack.enter_context(redis_server.running(STATE / "redis", persistent=True)).url
        run(
            {
                plan.ports["upstash"]: upstash.application(plan.keys.upstash, redis_url),
                plan.ports["meta"]: meta.application(
                    [plan.keys.meta_access_token],
                    plan.keys.meta_app_secret,
                    webhook_url,
                    numbers=meta.demo_numbers(plan.keys.meta_channel_token),
                ),
                plan.ports["model"]: model.application(plan.keys.model),
            }
        )


def run_gateway(plan: Plan) -> None:
    """API Gateway, the processes of the functions, the pump of their queues, and the schedules."""
    from local.aws import Cloud
    from local.gateway import application
    from local.invocations import application_of
    from local.pump import Pump
    from local.runtime import Environments
    from local.schedules import Schedules
    from local.serve import run
    from local.template import load_template

    template = load_template(PROJECT / "serverless.yml", STAGE, REGION, ACCOUNT)
    cloud = Cloud(plan.url("aws"), template, environment.secret_parameters(plan))
    values = environment.overrides(plan)
    variables = {
        function: template.environment_for(function, cloud.resolve, values, cloud.url)
        for function in template.functions
    }
    environments = Environments(template, variables, PROJECT, LOGS)
    end, poke = threading.Event(), threading.Event()
    pump = Pump(template, environments.invoke, cloud.client("sqs"), cloud.resolve, RETRY_SECONDS)
    schedules = Schedules(template, environments.invoke, cloud.client("ssm"))
    threading.Thread(target=pump.run, args=(end, poke), name="pump", daemon=True).start()
    threading.Thread(target=schedules.run, args=(end,), name="schedules", daemon=True).start()
    try:
        # Whatever a function did may have fed a queue: look at once.
        run(
            {
                plan.ports["gateway"]: application(template, environments.invoke, lambda *_: poke.set()),
                plan.ports["functions"]: application_of(environments.invoke),
            }
        )
    finally:
        end.set()
        environments.stop()


def run_seed(plan: Plan) -> None:
    """A job: the demo shop and its owner, made when they are not there yet."""
    from local.seed import seed

    os.environ.update(environment.server_variables(plan))
    seed(plan)


PARTS: dict[str, Callable[[Plan], None]] = {
    "postgres": run_postgres,
    "supabase": run_supabase,
    "aws": run_aws,
    "simulators": run_simulators,
    "gateway": run_gateway,
    "seed": run_seed,
}


def cluster_of(plan: Plan) -> "Cluster":
    """The world's database server, started or not."""
    from local.postgres import Cluster

    return Cluster(STATE / "postgres", plan.ports["postgres"], plan.keys.postgres)


def _forget_data_of_a_removed_world(cluster: "Cluster") -> None:
    """Remove data that no key opens: `make clean` took the plan, but a root shell's data may lie outside .local/."""
    from local.postgres_install import settle

    kept = cluster.folder / "kept"
    if not kept.exists():
        cluster.folder.mkdir(parents=True, exist_ok=True)
        _, home, _ = settle(cluster.version, cluster.folder)
        shutil.rmtree(home / f"data-{cluster.version}", ignore_errors=True)
        kept.touch()


def _mark_ready(part: str) -> None:
    (READY / part).touch()


def _asked_to_end() -> threading.Event:
    """An event that is set by SIGTERM, SIGINT or the parent's end."""
    from local.serve import end_with_parent

    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    end_with_parent(asked.set)
    return asked


def main() -> None:
    """Run the part that the command line names."""
    plan = load(PLAN_FILE)
    if plan is None or len(sys.argv) != 2 or sys.argv[1] not in PARTS:
        sys.exit(f"usage: python -m local.parts {'|'.join(PARTS)}   (make dev writes the plan and starts them)")
    try:
        PARTS[sys.argv[1]](plan)
    except (OSError, RuntimeError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
