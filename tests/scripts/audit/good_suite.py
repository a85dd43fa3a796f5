"""A small project in which the audit finds nothing; each bad suite is this one with a single defect."""

from pathlib import Path

APP = '''"""The console calls. A thing is kept. Its number is answered."""

from uuid import UUID

from pydantic import BaseModel

from shared.abuse.admission import admit
from shared.assistant.model import embed
from shared.data import store
from shared.guard import Request, Response, guard, jwt
from shared.settings import Secret, Setting, read

GUARD = guard(
    jwt(aal2=True, fresh_totp=300),
    methods=("POST",),
    body_limit=16 * 1024,
    seconds=5.0,
    rate=20,
    consumes=("embedding",),
    rates=(("member", 5, 60),),
    secrets=("AI_API_KEY", "UPSTASH_REDIS_REST_TOKEN"),
    writes=("things",),
    store_down="refuse",
)

NAMES: dict[str, str] = {}


class Thing(BaseModel):
    tenant: UUID


@GUARD
def handler(request: Request) -> Response:
    thing = request.body(Thing)
    return Response(body={"kept": _keep(thing, Secret.AI_API_KEY)})


def _keep(thing: Thing, key: str) -> int:
    return store.keep(thing.tenant, key, read(Setting.SUPABASE_URL))
'''

WEBHOOK = '''"""Meta calls. What it says is kept. Meta gets nothing."""

from shared.guard import Request, Response, guard, hmac

GUARD = guard(
    hmac("meta"),
    methods=("GET", "POST"),
    body_limit=1024,
    seconds=3.0,
    rate=600,
    secrets=("META_APP_SECRET", "META_VERIFY_TOKEN"),
    writes=(),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    return Response()
'''

QUEUE = '''"""The reply queue calls. A reply is written. Nothing is answered."""

from shared.errors import NotBuilt
from shared.guard import Request, Response, guard, queue

GUARD = guard(queue("reply"), seconds=5.0, secrets=("QUEUE_KEY",), writes=("planned",), store_down="queue")


@GUARD
def handler(request: Request) -> Response:
    raise NotBuilt()
'''

CRON = '''"""A schedule calls. What lies about is swept. The count is answered."""

from shared.guard import Request, Response, cron, guard

GUARD = guard(
    cron(),
    seconds=5.0,
    secrets=("CRON_SECRET",),
    writes=(),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    return Response()
'''

PUBLIC = '''"""Anybody calls. Nothing is changed. The state is answered."""

from shared.guard import Request, Response, guard, public

GUARD = guard(
    public(reason="Monitors ask without credentials.", rate=60),
    methods=("GET",),
    seconds=2.0,
    secrets=(),
    writes=(),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    return Response()
'''

INTERNAL = '''"""The reply queue's function invokes. Nothing is changed. The text is answered."""

from shared.guard import Request, Response, guard, internal

GUARD = guard(internal("queue_reply"), seconds=2.0, secrets=(), writes=(), store_down="refuse")


@GUARD
def handler(request: Request) -> Response:
    return Response()
'''

PARAMETER = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/portero/${sls:stage}/"

DEPLOYMENT = """service: small

prefixes:
  console: &console
    timeout: 28

provider:
  name: aws
  timeout: 5
  environment:
    STAGE: dev

functions:
  app_thing:
    <<: *console
    handler: functions/app_thing.handler
    environment:
      SUPABASE_URL: ${param:supabaseUrl}
      ALLOWED_ORIGINS: ${param:allowedOrigins}
      UPSTASH_REDIS_REST_URL: ${param:upstashUrl}
    iamRoleStatements:
      - Effect: Allow
        Action: "ssm:GetParameters"
        Resource: [!Sub "@AI_API_KEY", !Sub "@UPSTASH_REDIS_REST_TOKEN"]
    events:
      - httpApi: {method: POST, path: /app/thing}
      - httpApi: {method: OPTIONS, path: /app/thing}

  webhook_meta:
    handler: functions/webhook_meta.handler
    environment:
      REPLY_QUEUE_URL: !Ref ReplyQueue
    iamRoleStatements:
      - Effect: Allow
        Action: "ssm:GetParameters"
        Resource: [!Sub "@META_APP_SECRET", !Sub "@META_VERIFY_TOKEN"]
      - {Effect: Allow, Action: "sqs:SendMessage", Resource: !GetAtt ReplyQueue.Arn}
    events:
      - httpApi: GET /webhook/meta
      - httpApi: POST /webhook/meta

  queue_reply:
    handler: functions/queue_reply.handler
    timeout: 6
    environment:
      REPLY_QUEUE_ARN: !GetAtt ReplyQueue.Arn
    iamRoleStatements:
      - {Effect: Allow, Action: "ssm:GetParameters", Resource: !Sub "@QUEUE_KEY"}
      - Effect: Allow
        Action: "lambda:InvokeFunction"
        Resource: !GetAtt InternalUnderscorereadLambdaFunction.Arn
    events:
      - sqs:
          arn: !GetAtt ReplyQueue.Arn
          functionResponseType: ReportBatchItemFailures

  cron_sweep:
    handler: functions/cron_sweep.handler
    timeout: 28
    iamRoleStatements:
      - {Effect: Allow, Action: "ssm:GetParameters", Resource: !Sub "@CRON_SECRET"}
    events:
      - schedule:
          rate: rate(1 minute)
          input:
            authorization: Bearer {{resolve:ssm:/small/${sls:stage}/CRON_TRIGGER}}

  public_health:
    handler: functions/public_health.handler
    events:
      - httpApi: {method: GET, path: /public/health}

  internal_read:
    handler: functions/internal_read.handler
    tracing: PassThrough
    iamRoleStatementsInherit: false
    iamRoleStatements: []

resources:
  Resources:
    ReplyQueue:
      Type: AWS::SQS::Queue
      Properties:
        FifoQueue: true
        SqsManagedSseEnabled: true
        VisibilityTimeout: 36
        RedrivePolicy: {deadLetterTargetArn: !GetAtt ReplyDeadLetters.Arn, maxReceiveCount: 5}
    ReplyDeadLetters:
      Type: AWS::SQS::Queue
      Properties: {FifoQueue: true, SqsManagedSseEnabled: true, MessageRetentionPeriod: 1209600}
    AlarmTopic:
      Type: AWS::SNS::Topic
    AppThingErrorsAlarm:
      Type: AWS::CloudWatch::Alarm
      Properties: &errors
        AlarmDescription: A function crashed or ran out of time.
        Namespace: AWS/Lambda
        MetricName: Errors
        Dimensions: [{Name: FunctionName, Value: !Ref AppUnderscorethingLambdaFunction}]
        Statistic: Sum
        Period: 300
        EvaluationPeriods: 1
        Threshold: 0
        ComparisonOperator: GreaterThanThreshold
        TreatMissingData: notBreaching
        AlarmActions: [!Ref AlarmTopic]
    WebhookMetaErrorsAlarm:
      Type: AWS::CloudWatch::Alarm
      Properties: {<<: *errors, Dimensions: [{Name: FunctionName, Value: !Ref WebhookUnderscoremetaLambdaFunction}]}
    QueueReplyErrorsAlarm:
      Type: AWS::CloudWatch::Alarm
      Properties: {<<: *errors, Dimensions: [{Name: FunctionName, Value: !Ref QueueUnderscorereplyLambdaFunction}]}
    CronSweepErrorsAlarm:
      Type: AWS::CloudWatch::Alarm
      Properties: {<<: *errors, Dimensions: [{Name: FunctionName, Value: !Ref CronUnderscoresweepLambdaFunction}]}
    PublicHealthErrorsAlarm:
      Type: AWS::CloudWatch::Alarm
      Properties: {<<: *errors, Dimensions: [{Name: FunctionName, Value: !Ref PublicUnderscorehealthLambdaFunction}]}
    InternalReadErrorsAlarm:
      Type: AWS::CloudWatch::Alarm
      Properties: {<<: *errors, Dimensions: [{Name: FunctionName, Value: !Ref InternalUnderscorereadLambdaFunction}]}
    CronSweepSilentAlarm:
      Type: AWS::CloudWatch::Alarm
      Properties:
        <<: *errors
        MetricName: Invocations
        Dimensions: [{Name: FunctionName, Value: !Ref CronUnderscoresweepLambdaFunction}]
        Threshold: 1
        ComparisonOperator: LessThanThreshold
        TreatMissingData: breaching
    ReplyDeadLettersAlarm:
      Type: AWS::CloudWatch::Alarm
      Properties:
        <<: *errors
        Namespace: AWS/SQS
        MetricName: ApproximateNumberOfMessagesVisible
        Dimensions: [{Name: QueueName, Value: !GetAtt ReplyDeadLetters.QueueName}]
    ReplyLateAlarm:
      Type: AWS::CloudWatch::Alarm
      Properties:
        <<: *errors
        Namespace: AWS/SQS
        MetricName: ApproximateAgeOfOldestMessage
        Dimensions: [{Name: QueueName, Value: !GetAtt ReplyQueue.QueueName}]
    HttpApiFaultsAlarm:
      Type: AWS::CloudWatch::Alarm
      Properties:
        <<: *errors
        Namespace: AWS/ApiGateway
        MetricName: 5xx
        Dimensions: [{Name: ApiId, Value: !Ref HttpApi}]
    WebhookMetaRefusalsAlarm:
      Type: AWS::CloudWatch::Alarm
      Properties:
        AlarmDescription: A fifth of the calls were refused.
        Metrics:
          - Id: refusals
            ReturnData: false
            MetricStat:
              Metric:
                Namespace: "portero/${sls:stage}"
                MetricName: refusals
                Dimensions: [{Name: function, Value: webhook_meta}]
              Period: 300
              Stat: Sum
          - Id: calls
            ReturnData: false
            MetricStat:
              Metric:
                Namespace: "portero/${sls:stage}"
                MetricName: calls
                Dimensions: [{Name: function, Value: webhook_meta}]
              Period: 300
              Stat: Sum
          - {Id: share, Label: refused share, Expression: "IF(calls >= 20, refusals / calls, 0)"}
        EvaluationPeriods: 1
        Threshold: 0.2
        ComparisonOperator: GreaterThanOrEqualToThreshold
        TreatMissingData: notBreaching
        AlarmActions: [!Ref AlarmTopic]
""".replace("@", PARAMETER)

SETTINGS = """
import os
from enum import StrEnum


class Setting(StrEnum):
    STAGE = "STAGE"
    SUPABASE_URL = "SUPABASE_URL"
    AI_BASE_URL = "AI_BASE_URL"
    ALLOWED_ORIGINS = "ALLOWED_ORIGINS"
    UPSTASH_REDIS_REST_URL = "UPSTASH_REDIS_REST_URL"
    REPLY_QUEUE_URL = "REPLY_QUEUE_URL"
    REPLY_QUEUE_ARN = "REPLY_QUEUE_ARN"
    AI_MODEL = "AI_MODEL"


class Secret(StrEnum):
    META_APP_SECRET = "META_APP_SECRET"
    META_VERIFY_TOKEN = "META_VERIFY_TOKEN"
    UPSTASH_REDIS_REST_TOKEN = "UPSTASH_REDIS_REST_TOKEN"
    QUEUE_KEY = "QUEUE_KEY"
    CRON_SECRET = "CRON_SECRET"
    AI_API_KEY = "AI_API_KEY"


def read(setting): ...
"""

GUARD_PACKAGE = """
from shared.guard.declaration import Guard as guard
from shared.guard.kinds import cron, hmac, internal, jwt, public, queue
from shared.guard.request import Request
from shared.guard.response import Response

__all__ = ["Request", "Response", "cron", "guard", "hmac", "internal", "jwt", "public", "queue"]
"""

KINDS = """
SCHEMES: dict[str, object] = {"meta": 1, "paddle_v2": 2}

def hmac(scheme: str): ...
def jwt(*, aal2: bool = False, fresh_totp: int = 0, legacy: bool = False): ...
def cron(): ...
def queue(name: str): ...
def internal(caller: str): ...
def public(*, reason: str, rate: int): ...
"""

DECLARATION = """
class Guard:
    def __init__(self, kind, *, seconds, secrets, writes, store_down, methods=(), body_limit=0, rate=0,
        consumes=(), rates=()): ...
"""

ADMISSION = """
class Grant: ...

def admit(request, account, want): ...
"""

MODEL = """
from shared.abuse.admission import Grant
from shared.settings import Setting, read

def complete(messages, grant): ...

def embed(texts, grant):
    return read(Setting.AI_BASE_URL)
"""

STORE = """
import json
from shared.data import database

def keep(tenant, key, url):
    return database.call("keep_thing")


def hold():
    'Hold something. For tests.'
"""

ROWS = """ROWS: dict[str, object] = {
    "app_thing": 1,
    "webhook_meta": 2,
    "queue_reply": 3,
    "cron_sweep": 4,
    "public_health": 5,
    "internal_read": 6,
}
"""

MATRIX = """function       good  forged  good
app_thing      200   401     200
webhook_meta   200   401     200
queue_reply    done  back    done
cron_sweep     501   401     501
public_health  200   -       200
internal_read  ran   error   ran
"""

FILES = {
    "functions/app_thing.py": APP,
    "functions/webhook_meta.py": WEBHOOK,
    "functions/queue_reply.py": QUEUE,
    "functions/cron_sweep.py": CRON,
    "functions/public_health.py": PUBLIC,
    "functions/internal_read.py": INTERNAL,
    "serverless.yml": DEPLOYMENT,
    "shared/settings.py": SETTINGS,
    "shared/errors.py": "class NotBuilt(Exception): ...\n",
    "shared/guard/__init__.py": GUARD_PACKAGE,
    "shared/guard/kinds.py": KINDS,
    "shared/guard/declaration.py": DECLARATION,
    "shared/guard/verify/__init__.py": "",
    "shared/guard/verify/meta.py": "def verify(): ...\n",
    "shared/data/__init__.py": "",
    "shared/data/store.py": STORE,
    "shared/abuse/admission.py": ADMISSION,
    "shared/assistant/model.py": MODEL,
    "shared/data/database.py": "def call(): ...\n",
    "supabase/migrations/1.sql": "create table public.things (id uuid);\n",
    "tests/refusals/rows.py": ROWS,
    "tests/output/refusals.txt": MATRIX,
    "tests/output/not_built.txt": "queue_reply\n",
    "tests/output/database_writes.txt": "keep_thing: things\n",
}


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write a project and give its folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
