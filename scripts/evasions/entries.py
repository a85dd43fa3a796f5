"""Evasions by the entries of functions in serverless.yml: other code, other ways in, other limits."""

from scripts.evasions.evasion import SEND_ENTRY, Evasion, deployed, entry

_CONSOLE_ENVIRONMENT = "      <<: *console_environment\n"
_HTTP = "      - httpApi: {method: POST, path: /app/send}\n"


def _event(name: str, rule: str, event: str) -> Evasion:
    return deployed(name, rule, _HTTP, f"{_HTTP}      - {event}\n")


ENTRIES = [
    deployed("another handler", "deployment-handler", "functions/app_send.handler", "functions/app_send._offer"),
    deployed(
        "the handler of another function",
        "deployment-handler",
        "functions/app_send.handler",
        "functions/app_usage.handler",
    ),
    deployed("the zip of another function", "deployment-handler", ".package/app_send.zip", ".package/app_usage.zip"),
    deployed("a zip from elsewhere", "deployment-handler", ".package/app_send.zip", "s3://elsewhere/x.zip"),
    deployed(
        "patterns of files for one zip",
        "template-form",
        "{artifact: .package/app_send.zip}",
        '{artifact: .package/app_send.zip, patterns: ["**"]}',
    ),
    entry("layers of one function", "deployment-hidden", "layers: [arn:aws:lambda:x:1:layer:x:1]"),
    entry("an image of one function", "deployment-hidden", "image: x"),
    entry("a file system of one function", "deployment-hidden", "fileSystemConfig: {arn: x, localMountPath: /mnt/x}"),
    entry("a function URL", "deployment-hidden", "url: true"),
    entry("a role from elsewhere for one function", "template-form", "role: arn:aws:iam::1:role/admin"),
    entry("the role of another function", "template-form", "role: QueueUnderscoresendIamRoleLambdaExecution"),
    entry("managed policies for one function", "template-form", "iamManagedPolicies: [x]"),
    entry("a permission boundary for one function", "template-form", "iamPermissionsBoundary: x"),
    entry("another runtime for one function", "template-form", "runtime: provided.al2023"),
    entry("another runtime management for one function", "template-form", "runtimeManagement: manual"),
    entry("a network for one function", "template-form", "vpc: {subnetIds: [x]}"),
    entry("a name that another stack owns", "template-form", "name: other-function"),
    entry("a snapshot of its memory", "template-form", "snapStart: true"),
    entry("a key of its own for the environment", "template-form", "kmsKeyArn: x"),
    entry("a condition that leaves it out", "template-form", "condition: Never"),
    entry("a dead letter topic elsewhere", "template-form", "onError: arn:aws:sns:x:1:x"),
    entry("all environments warm", "template-form", "provisionedConcurrency: 100"),
    entry("no traces of one function", "template-form", "tracing: PassThrough"),
    entry("no log of one function", "template-form", "disableLogs: true"),
    entry("a log of one function that stays", "template-form", "logRetentionInDays: 3653"),
    entry("destinations elsewhere", "template-form", "destinations: {onSuccess: arn:aws:sqs:x:1:x}"),
    entry("unlimited concurrency", "template-form", "reservedConcurrency: 1000"),
    entry("a time-out beyond API Gateway's", "timeout-long", "timeout: 60"),
    entry("a time-out below the guard's", "timeout-short", "timeout: 5"),
    entry("a time-out that is no number", "deployment-unreadable", "timeout: ${param:x}"),
    entry("a key that is written twice", "deployment-unreadable", "handler: functions/app_send.handler"),
    _event("a second path", "deployment-path", "httpApi: {method: POST, path: /app/other}"),
    _event("a wildcard path", "deployment-path", "httpApi: {method: POST, path: '/{proxy+}'}"),
    _event("a path with a parameter", "deployment-path", "httpApi: {method: POST, path: '/app/send/{id}'}"),
    _event("a wildcard method", "deployment-methods", "httpApi: {method: '*', path: /app/send}"),
    _event("every request", "deployment-path", "httpApi: '*'"),
    _event("a $default route", "deployment-path", "httpApi: '$default'"),
    _event("one method more", "deployment-methods", "httpApi: {method: DELETE, path: /app/send}"),
    _event("an authorizer of its route", "template-form", "httpApi: {method: OPTIONS, path: /app/send, authorizer: x}"),
    _event("a REST API beside the HTTP API", "deployment-events", "http: {method: POST, path: /app/send}"),
    _event("a load balancer", "deployment-events", "alb: {listenerArn: x, priority: 1, conditions: {path: /}}"),
    _event("a websocket", "deployment-events", "websocket: $connect"),
    _event("objects of a bucket", "deployment-events", "s3: bucket"),
    _event("messages of a topic", "deployment-events", "sns: topic"),
    _event("messages of a queue", "deployment-events", "sqs: {arn: !GetAtt SendQueue.Arn}"),
    _event("a schedule for a person's function", "deployment-events", "schedule: rate(1 minute)"),
    _event("events of a bus", "deployment-events", "eventBridge: {pattern: {source: [x]}}"),
    _event("a stream", "deployment-events", "stream: arn:aws:kinesis:x:1:stream/x"),
    _event("an identity pool's trigger", "deployment-events", "cognitoUserPool: {pool: x, trigger: PreSignUp}"),
    deployed(
        "no route for browsers", "deployment-options", "      - httpApi: {method: OPTIONS, path: /app/send}\n", ""
    ),
    deployed(
        "no route at all",
        "deployment-events",
        "    events:\n      - httpApi: {method: POST, path: /app/send}\n      - httpApi: {method: OPTIONS, path: /app/send}\n",
        "    events: []\n",
    ),
    deployed(
        "a browser's route for a webhook",
        "deployment-options",
        "      - httpApi: {method: POST, path: /webhook/paddle}\n",
        "      - httpApi: {method: POST, path: /webhook/paddle}\n      - httpApi: {method: OPTIONS, path: /webhook/paddle}\n",
    ),
    deployed(
        "a queue's event of another queue",
        "queue-mismatch",
        "arn: !GetAtt ReplyQueue.Arn\n          batchSize",
        "arn: !GetAtt SendQueue.Arn\n          batchSize",
    ),
    deployed(
        "a queue's event of another account",
        "queue-mismatch",
        "arn: !GetAtt ReplyQueue.Arn\n          batchSize",
        "arn: arn:aws:sqs:x:1:reply\n          batchSize",
    ),
    deployed(
        "a queue of which failures count as done",
        "queue-failures",
        "          functionResponseType: ReportBatchItemFailures\n",
        "",
        "  queue_reply:",
    ),
    deployed("batches of ten thousand", "template-form", "batchSize: 10\n", "batchSize: 10000\n"),
    deployed(
        "an event filter",
        "template-form",
        "batchSize: 10\n",
        "batchSize: 10\n          filterPatterns: [{body: [x]}]\n",
    ),
    deployed(
        "a queue of which a thousand work at once",
        "template-form",
        "maximumConcurrency: 2\n",
        "maximumConcurrency: 1000\n",
    ),
    deployed(
        "the guard's queue is another",
        "queue-mismatch",
        "REPLY_QUEUE_ARN: !GetAtt ReplyQueue.Arn",
        "REPLY_QUEUE_ARN: !GetAtt SendQueue.Arn",
    ),
    deployed(
        "a queue's address is another's",
        "setting-mismatch",
        "SEND_QUEUE_URL: !Ref SendQueue",
        "SEND_QUEUE_URL: !Ref ReplyQueue",
    ),
    deployed(
        "a queue's address is elsewhere",
        "setting-mismatch",
        "SEND_QUEUE_URL: !Ref SendQueue",
        "SEND_QUEUE_URL: https://sqs.example/1/x",
    ),
    deployed(
        "a bucket elsewhere", "setting-form", "MEDIA_BUCKET: !Ref MediaBucket", "MEDIA_BUCKET: elsewhere", SEND_ENTRY
    ),
    deployed(
        "another bucket of ours",
        "setting-form",
        "MEDIA_BUCKET: !Ref MediaBucket",
        "MEDIA_BUCKET: !Ref KnowledgeBucket",
        SEND_ENTRY,
    ),
    deployed(
        "the database's address is elsewhere",
        "setting-form",
        "SUPABASE_URL: ${param:supabaseUrl}",
        "SUPABASE_URL: https://elsewhere.example",
    ),
    deployed(
        "Redis is elsewhere",
        "setting-form",
        "UPSTASH_REDIS_REST_URL: ${param:upstashUrl}",
        "UPSTASH_REDIS_REST_URL: https://elsewhere.example",
    ),
    deployed(
        "the model is elsewhere",
        "setting-form",
        "AI_BASE_URL: ${param:aiBaseUrl}",
        "AI_BASE_URL: http://elsewhere.example",
    ),
    deployed(
        "Meta's Graph is elsewhere",
        "setting-form",
        "META_GRAPH_URL: https://graph.facebook.com/v24.0",
        "META_GRAPH_URL: https://graph.example/v24.0",
    ),
    deployed(
        "media from every host",
        "setting-form",
        "https://lookaside.fbsbx.com https://*.fbcdn.net",
        "https://*.com https://*.fbcdn.net",
    ),
    deployed(
        "origins of everybody", "setting-form", "ALLOWED_ORIGINS: ${param:allowedOrigins}", 'ALLOWED_ORIGINS: "*"'
    ),
    deployed(
        "issuers of somebody else",
        "setting-form",
        "SUPABASE_ISSUERS: ${param:supabaseIssuers}",
        "SUPABASE_ISSUERS: https://elsewhere.example",
    ),
    deployed(
        "another key for credentials",
        "setting-form",
        "KMS_KEY_ID: !GetAtt CredentialsKey.Arn",
        "KMS_KEY_ID: arn:aws:kms:x:1:key/x",
    ),
    deployed(
        "signatures that hold for a day",
        "setting-form",
        "PADDLE_TOLERANCE_SECONDS: 5",
        "PADDLE_TOLERANCE_SECONDS: 86400",
    ),
    deployed(
        "the exec wrapper of one function",
        "setting-unknown",
        _CONSOLE_ENVIRONMENT,
        f"{_CONSOLE_ENVIRONMENT}      AWS_LAMBDA_EXEC_WRAPPER: /x\n",
    ),
    deployed(
        "the endpoint of AWS for one function",
        "template-form",
        _CONSOLE_ENVIRONMENT,
        f"{_CONSOLE_ENVIRONMENT}      AWS_ENDPOINT_URL: https://x.example\n",
    ),
    deployed(
        "a secret in the environment of one function",
        "setting-unknown",
        _CONSOLE_ENVIRONMENT,
        f"{_CONSOLE_ENVIRONMENT}      AI_API_KEY: sk-x\n",
    ),
    deployed(
        "a secret resolved into a setting",
        "setting-form",
        "AI_MODEL: gpt-4o-mini",
        "AI_MODEL: '{{resolve:ssm:/portero/prod/AI_API_KEY}}'",
    ),
    deployed(
        "another stage for one function",
        "setting-form",
        _CONSOLE_ENVIRONMENT,
        f"{_CONSOLE_ENVIRONMENT}      STAGE: prod\n",
    ),
    deployed(
        "another parameter prefix for one function",
        "setting-form",
        _CONSOLE_ENVIRONMENT,
        f"{_CONSOLE_ENVIRONMENT}      PARAMETER_PREFIX: /elsewhere\n",
    ),
]
