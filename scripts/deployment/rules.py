"""What the packaged CloudFormation template must hold, each rule a function that yields what breaks it.

AWS facts behind the numbers: Lambda with SQS wants a visibility timeout of six times the function's; an HTTP API
gives up after 30 s; providers give up on a webhook after 5 s.
"""

import json
import re
from collections.abc import Callable, Iterator

from scripts.deployment.template import Deployment, listed, target, targets

VISIBILITY_FACTOR = 6
MINIMUM_RECEIVES = 5
HTTP_TIMEOUT_SECONDS = 28
WEBHOOK_TIMEOUT_SECONDS = 5
LOG_ACTIONS = {"logs:CreateLogStream", "logs:CreateLogGroup", "logs:PutLogEvents"}
XRAY_ACTIONS = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
RECEIVE_ACTIONS = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
KEY_ACTIONS = {"kms:Decrypt"}
INVOKE_ACTIONS = {"lambda:InvokeFunction"}
OBJECT_ACTIONS = {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}
KNOWN_ACTIONS = {
    *LOG_ACTIONS,
    *XRAY_ACTIONS,
    *RECEIVE_ACTIONS,
    *KEY_ACTIONS,
    *INVOKE_ACTIONS,
    "sqs:SendMessage",
    *OBJECT_ACTIONS,
    "ssm:GetParameters",
}
REACH = {
    "send to": {"sqs:SendMessage"},
    "receive from": RECEIVE_ACTIONS,
    "use the objects of": OBJECT_ACTIONS,
    "decrypt with": KEY_ACTIONS,
    "invoke": INVOKE_ACTIONS,
}
PURPOSE_CONDITION = "kms:EncryptionContext:purpose"
ASYNCHRONOUS_PRINCIPALS = {"events.amazonaws.com", "s3.amazonaws.com", "sns.amazonaws.com", "scheduler.amazonaws.com"}
# What an access log line may say of a call: nothing of the person who made it.
LOGGED_CONTEXT = {"requestId", "routeKey", "status", "responseLength", "responseLatency", "integrationLatency"}
SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|PRIVATE|_KEY$|CREDENTIAL")
SECRET_VALUE = re.compile(r"\{\{resolve:|sb_secret_|eyJ[\w-]+\.|\bsk[-_]|BEGIN [A-Z ]*PRIVATE|Bearer ")
# Named like secrets, but made to be shown.
PUBLIC_NAMES = {"SUPABASE_PUBLISHABLE_KEY"}
# What only the offline world has.
OFFLINE_NAMES = {"LOCAL_KEY_FILE"}


def each_function_has_its_own_role(deployment: Deployment) -> Iterator[str]:
    """No two functions share a role, and no role is left over."""
    owners: dict[str, str] = {}
    for function, properties in deployment.functions().items():
        role = target(properties.get("Role"))
        if role in owners:
            yield f"{function} and {owners[role]} share the role {role}: give {function} iamRoleStatements"
        owners[role] = function
    for name, role_resource in deployment.of_type("IAM::Role").items():
        if name not in owners and "Condition" not in role_resource:
            yield f"{name} is a role that no function has"


def roles_allow_nothing_wide(deployment: Deployment) -> Iterator[str]:
    """Known actions on named resources, for Lambda alone."""
    for function, properties in deployment.functions().items():
        for statement in deployment.statements(properties.get("Role")):
            actions = set(listed(statement["Action"]))
            for action in sorted(actions - KNOWN_ACTIONS):
                yield f"{function} may {action}, which no function of this suite needs"
            if "*" in listed(statement["Resource"]) and not actions <= XRAY_ACTIONS:
                yield f"{function} may {', '.join(sorted(actions))} on every resource: name the resource"
    for name, role in deployment.properties_of("IAM::Role").items():
        if role.get("ManagedPolicyArns"):
            yield f"{name} has a managed policy: write down what it needs"
        trust = role["AssumeRolePolicyDocument"]["Statement"]
        if any(listed(statement["Principal"].get("Service")) != ["lambda.amazonaws.com"] for statement in trust):
            yield f"{name} may be assumed by others than lambda.amazonaws.com"


def roles_read_the_secrets_of_the_guard(deployment: Deployment) -> Iterator[str]:
    """The secrets in GUARD and the parameters in the role are one list."""
    prefix = (
        "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter"
        f"/{deployment.service}/{deployment.stage}/"
    )
    for function, guard in deployment.guards.items():
        readable = set()
        for resource in deployment.allowed(function, {"ssm:GetParameters"}):
            name = str(resource.get("Fn::Sub", resource) if isinstance(resource, dict) else resource)
            if not re.fullmatch(re.escape(prefix) + r"\w+", name):
                yield f"{function} may read {name}, which is not one parameter of this stage"
            else:
                readable.add(name.removeprefix(prefix))
        for name in sorted(set(guard.secrets) - readable):
            yield f"{function}: GUARD lists {name}, but the role may not read it: add *{name} in serverless.yml"
        for name in sorted(readable - set(guard.secrets)):
            yield f"{function}: the role may read {name}, but GUARD does not list it: take one of them away"


def roles_reach_their_own_queues_buckets_and_keys(deployment: Deployment) -> Iterator[str]:
    """Send where the environment or a failure points to, receive where the function is fed, write to its bucket,
    decrypt with the keys that its environment names, invoke the internal functions that name it as their caller.
    """
    fed = {deployment.function_at(mapping["FunctionName"]): name for name, _, mapping in deployment.sources()}
    failures = deployment.failure_queues()
    for function, properties in deployment.functions().items():
        variables = properties.get("Environment", {}).get("Variables", {})
        addressed = {target(value) for name, value in variables.items() if name.endswith(("_URL", "_BUCKET"))}
        wanted = {
            "send to": (addressed & deployment.of_type("SQS::Queue").keys()) | ({failures.get(function, "")} - {""}),
            "receive from": {fed.get(function, "")} - {""},
            # An internal function compares the bucket's name with an address; it reads by the address alone.
            "use the objects of": set()
            if deployment.is_internal(function)
            else addressed & deployment.of_type("S3::Bucket").keys(),
            "decrypt with": set(targets(variables.get("KMS_KEY_ID"))),
            "invoke": {
                logical
                for logical in deployment.of_type("Lambda::Function")
                if (guard := deployment.guards.get(deployment.function_at({"Ref": logical})))
                and (guard.kind, guard.argument) == ("internal", function)
            },
        }
        for verb, actions in REACH.items():
            may = {target(resource) for resource in deployment.allowed(function, actions)}
            for name in sorted(wanted[verb] - may):
                yield f"{function} must {verb} {name}, but its role may not"
            for name in sorted(may - wanted[verb]):
                yield f"{function} may {verb} {name or 'something unnamed'}, but has no business there"


def internal_functions_may_do_nothing(deployment: Deployment) -> Iterator[str]:
    """Their role writes their own log; no service may invoke them, and no queue feeds them."""
    for function, properties in deployment.functions().items():
        if not deployment.is_internal(function):
            continue
        group = f"/aws/lambda/{properties['FunctionName']}"
        for statement in deployment.statements(properties.get("Role")):
            actions = set(listed(statement["Action"]))
            for action in sorted(actions - LOG_ACTIONS):
                yield f"{function} may {action}: an internal function's role writes its log and nothing else"
            if any(group not in json.dumps(resource) for resource in listed(statement["Resource"])):
                yield f"{function} may write to other logs than {group}"
        if properties.get("TracingConfig", {}).get("Mode") == "Active":
            yield f"{function} is traced: that takes a permission, so set tracing: PassThrough"
    invoked = [
        *deployment.properties_of("Lambda::Permission").values(),
        *deployment.properties_of("Lambda::EventSourceMapping").values(),
        *deployment.properties_of("Lambda::EventInvokeConfig").values(),
        *({"FunctionName": url["TargetFunctionArn"]} for url in deployment.properties_of("Lambda::Url").values()),
    ]
    for found in invoked:
        if deployment.is_internal(deployment.function_at(found["FunctionName"])):
            yield f"{deployment.function_at(found['FunctionName'])} may be invoked by others than its caller's role"


def keys_turn_and_open_for_one_purpose(deployment: Deployment) -> Iterator[str]:
    """A key outlives its stack, KMS renews it, and a function decrypts what was encrypted for a named purpose only."""
    for name, key in deployment.of_type("KMS::Key").items():
        if key["Properties"].get("EnableKeyRotation") is not True:
            yield f"{name} is never renewed: set EnableKeyRotation"
        if (key.get("DeletionPolicy"), key.get("UpdateReplacePolicy")) != ("Retain", "Retain"):
            yield f"{name} goes with its stack: set DeletionPolicy and UpdateReplacePolicy to Retain"
    for function, properties in deployment.functions().items():
        for statement in deployment.statements(properties.get("Role")):
            condition = statement.get("Condition", {}).get("StringEquals", {})
            if KEY_ACTIONS & set(listed(statement["Action"])) and PURPOSE_CONDITION not in condition:
                yield f"{function} may decrypt for any purpose: add Condition StringEquals {PURPOSE_CONDITION}"


def queues_hide_messages_long_enough(deployment: Deployment) -> Iterator[str]:
    """So that a message is not handed out again while its function still runs."""
    for name, properties, mapping in deployment.sources():
        function = deployment.function_at(mapping["FunctionName"])
        wanted = VISIBILITY_FACTOR * deployment.functions()[function]["Timeout"]
        if properties.get("VisibilityTimeout", 30) < wanted:
            yield f"{name}: VisibilityTimeout must be at least {wanted} s, {VISIBILITY_FACTOR} x that of {function}"


def queues_have_dead_letters_with_an_alarm(deployment: Deployment) -> Iterator[str]:
    """Of their own type, after enough attempts; and no message lies there unseen."""
    dead_letters = set(deployment.failure_queues().values())
    for name, properties, _ in deployment.sources():
        redrive = properties.get("RedrivePolicy", {})
        dead = target(redrive.get("deadLetterTargetArn"))
        if dead not in deployment.resources:
            yield f"{name} has no dead letter queue"
            continue
        dead_letters.add(dead)
        if redrive.get("maxReceiveCount", 0) < MINIMUM_RECEIVES:
            yield f"{name}: maxReceiveCount must be at least {MINIMUM_RECEIVES}, or throttling fills {dead}"
        if bool(properties.get("FifoQueue")) != bool(deployment.resources[dead]["Properties"].get("FifoQueue")):
            yield f"{name} and its dead letter queue {dead} must both be FIFO, or neither"
    for name in sorted(dead_letters):
        if ("ApproximateNumberOfMessagesVisible", name, 0) not in deployment.watched():
            yield f"{name} has no alarm for messages in it"


def queues_report_single_failures(deployment: Deployment) -> Iterator[str]:
    """And feed no more functions at once than they may."""
    for name, _, mapping in deployment.sources():
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: set functionResponseType: ReportBatchItemFailures, or one failure repeats a whole batch"
        if "MaximumConcurrency" not in mapping.get("ScalingConfig", {}):
            yield f"{name}: set maximumConcurrency, or a flood takes every function's place"


def schedules_may_invoke_their_function(deployment: Deployment) -> Iterator[str]:
    """A rule by the function's permission, a Scheduler::Schedule by its own role."""
    permitted = {
        (target(found.get("SourceArn")), target(found["FunctionName"]))
        for found in deployment.properties_of("Lambda::Permission").values()
        if found["Principal"] == "events.amazonaws.com"
    }
    for name, aim in deployment.rule_targets():
        if (name, target(aim["Arn"])) not in permitted:
            yield f"{name} may not invoke {target(aim['Arn'])}: there is no AWS::Lambda::Permission for it"
    for name, schedule in deployment.properties_of("Scheduler::Schedule").items():
        statements = deployment.statements(schedule["Target"].get("RoleArn"))
        if not any("lambda:InvokeFunction" in listed(statement["Action"]) for statement in statements):
            yield f"{name}: its role may not lambda:InvokeFunction, so the schedule would be denied"


def schedules_send_what_the_offline_world_sends(deployment: Deployment) -> Iterator[str]:
    """The input in the deployed rule is the one that the function's schedule event declares."""
    deployed = {
        deployment.function_at(aim["Arn"]): json.loads(aim.get("Input", "null")) for _, aim in deployment.rule_targets()
    }
    for function in sorted(deployed.keys() | deployment.schedule_inputs.keys()):
        if deployed.get(function) != deployment.schedule_inputs.get(function):
            yield f"{function}: the Input under resources.extensions and the input of its schedule event differ"


def asynchronous_calls_have_an_end(deployment: Deployment) -> Iterator[str]:
    """Retries, age and a queue for what failed: for the function, and for the rule that calls it."""
    configured = {
        deployment.function_at(config["FunctionName"]): config
        for config in deployment.properties_of("Lambda::EventInvokeConfig").values()
    }
    for permission in deployment.properties_of("Lambda::Permission").values():
        if permission["Principal"] not in ASYNCHRONOUS_PRINCIPALS:
            continue
        function = deployment.function_at(permission["FunctionName"])
        for key, option in (
            ("MaximumRetryAttempts", "maximumRetryAttempts"),
            ("MaximumEventAgeInSeconds", "maximumEventAge"),
        ):
            if key not in configured.get(function, {}):
                yield f"{function} is called asynchronously: set {option}"
        if function not in deployment.failure_queues():
            yield f"{function} is called asynchronously: set destinations.onFailure"
    for name, aim in deployment.rule_targets():
        if "RetryPolicy" not in aim or "DeadLetterConfig" not in aim:
            yield f"{name}: its target needs a RetryPolicy and a DeadLetterConfig (resources.extensions)"


def routes_are_throttled_and_guarded(deployment: Deployment) -> Iterator[str]:
    """And their log says nothing of the caller."""
    for name, stage in deployment.properties_of("ApiGatewayV2::Stage").items():
        for key in ("ThrottlingRateLimit", "ThrottlingBurstLimit", "DetailedMetricsEnabled"):
            if not stage.get("DefaultRouteSettings", {}).get(key):
                yield f"{name}: DefaultRouteSettings lacks {key} (an extension replaces the whole block)"
        line = stage.get("AccessLogSettings", {}).get("Format", "")
        if not line:
            yield f"{name} writes no access log"
        for logged in sorted(set(re.findall(r"\$context\.([\w.]+)", line)) - LOGGED_CONTEXT):
            yield f"{name}: the access log holds $context.{logged}, which may tell who called"
    for route, function in deployment.route_functions().items():
        if function not in deployment.guards:
            yield f"{route} leads to {function or 'no function'}, which declares no GUARD"


def functions_end_before_their_caller_gives_up(deployment: Deployment) -> Iterator[str]:
    """An answer that nobody waits for is work that is done twice."""
    for function in sorted(set(deployment.route_functions().values()) - {""}):
        limit = WEBHOOK_TIMEOUT_SECONDS if function.startswith("webhook_") else HTTP_TIMEOUT_SECONDS
        timeout = deployment.functions()[function]["Timeout"]
        if timeout > limit:
            yield f"{function}: timeout must be at most {limit} s, not {timeout}: its caller will have gone"


def logs_are_kept_for_a_time(deployment: Deployment) -> Iterator[str]:
    """Neither lost at once nor kept for ever."""
    groups = deployment.properties_of("Logs::LogGroup")
    for name, group in groups.items():
        if not group.get("RetentionInDays"):
            yield f"{name} keeps logs for ever: set logRetentionInDays"
    named = {group.get("LogGroupName") for group in groups.values()}
    for function, properties in deployment.functions().items():
        if f"/aws/lambda/{properties['FunctionName']}" not in named:
            yield f"{function} has no log group in the template, so Lambda would make one that never forgets"


def environments_hold_no_secret(deployment: Deployment) -> Iterator[str]:
    """By name and by look of the value; everybody who may see the function's configuration sees these."""
    for function, properties in deployment.functions().items():
        for name, value in properties.get("Environment", {}).get("Variables", {}).items():
            if name in OFFLINE_NAMES:
                yield f"{function}: {name} is for the offline world"
            elif name not in PUBLIC_NAMES and SECRET_NAME.search(name):
                yield f"{function}: {name} is a secret's name: put it into the parameter store and into GUARD"
            elif SECRET_VALUE.search(json.dumps(value)):
                yield f"{function}: the value of {name} looks like a secret"


def functions_run_what_was_packaged(deployment: Deployment) -> Iterator[str]:
    """The zips hold bytecode of Python 3.13 and libraries for arm64; package.py tries their imports."""
    for function, properties in deployment.functions().items():
        if (properties.get("Runtime"), properties.get("Architectures")) != ("python3.13", ["arm64"]):
            yield f"{function} must run on python3.13 and arm64, for which its zip is made"
        if not str(properties.get("Code", {}).get("S3Key", "")).endswith(f"/{function}.zip"):
            yield f"{function} is not deployed from .package/{function}.zip: set package.artifact"
        if properties.get("TracingConfig", {}).get("Mode") != "Active" and not deployment.is_internal(function):
            yield f"{function} is not traced"


def faults_raise_an_alarm(deployment: Deployment) -> Iterator[str]:
    """Each function's errors, the API's 5xx, refusals of webhooks and crons; and each alarm tells somebody."""
    for name, alarm in deployment.properties_of("CloudWatch::Alarm").items():
        if not any(target(action) in deployment.of_type("SNS::Topic") for action in alarm.get("AlarmActions", [])):
            yield f"{name} tells nobody"
    watched = {(metric, name) for metric, name, _ in deployment.watched()}
    for name, properties in deployment.properties_of("Lambda::Function").items():
        if ("Errors", name) not in watched:
            yield f"{properties['FunctionName']} has no alarm for its errors"
    for api in deployment.of_type("ApiGatewayV2::Api"):
        if ("5xx", api) not in watched:
            yield f"{api} has no alarm for its 5xx answers"
    counted = deployment.counted()
    for function in deployment.functions():
        wanted = {("refusals", "function", function), ("calls", "function", function)}
        if function.startswith("webhook_") and not wanted <= counted:
            yield f"{function} has no alarm for the share of its calls that are refused"
    if (
        any(guard.kind == "cron" for guard in deployment.guards.values())
        and ("refusals", "guard", "cron") not in counted
    ):
        yield "no alarm tells of refused cron calls"


def stores_are_closed_and_encrypted(deployment: Deployment) -> Iterator[str]:
    """Queues and our buckets."""
    for name, queue in deployment.properties_of("SQS::Queue").items():
        if queue.get("SqsManagedSseEnabled") is not True:
            yield f"{name} is not encrypted: set SqsManagedSseEnabled"
    for name, bucket in deployment.properties_of("S3::Bucket").items():
        if name == "ServerlessDeploymentBucket":  # made by osls, encrypted, with a policy; it holds code
            continue
        block = bucket.get("PublicAccessBlockConfiguration", {})
        if len(block) != 4 or not all(block.values()):
            yield f"{name} may be made public: set all four of PublicAccessBlockConfiguration"
        if not bucket.get("BucketEncryption"):
            yield f"{name} is not encrypted"


def reservations_are_for_prod(deployment: Deployment) -> Iterator[str]:
    """A new account has no concurrency to reserve; in prod no door may take the places of the others."""
    for function, properties in deployment.functions().items():
        reserved = properties.get("ReservedConcurrentExecutions")
        if deployment.stage != "prod" and reserved is not None:
            yield f"{function} reserves concurrency in {deployment.stage}, which a new account refuses"
        # A queue's function is held by maximumConcurrency, and so is a function that only it invokes.
        held = deployment.guards[function].kind in ("queue", "internal")
        if deployment.stage == "prod" and reserved is None and not held:
            yield f"{function} has no reservedConcurrency in prod: a flood there stops every other function"


Rule = Callable[[Deployment], Iterator[str]]
RULES: tuple[Rule, ...] = (
    each_function_has_its_own_role,
    roles_allow_nothing_wide,
    roles_read_the_secrets_of_the_guard,
    roles_reach_their_own_queues_buckets_and_keys,
    internal_functions_may_do_nothing,
    keys_turn_and_open_for_one_purpose,
    queues_hide_messages_long_enough,
    queues_have_dead_letters_with_an_alarm,
    queues_report_single_failures,
    schedules_may_invoke_their_function,
    schedules_send_what_the_offline_world_sends,
    asynchronous_calls_have_an_end,
    routes_are_throttled_and_guarded,
    functions_end_before_their_caller_gives_up,
    logs_are_kept_for_a_time,
    environments_hold_no_secret,
    functions_run_what_was_packaged,
    faults_raise_an_alarm,
    stores_are_closed_and_encrypted,
    reservations_are_for_prod,
)
