"""Evasions by serverless.yml: other code, other ways in, wider permissions, silent alarms."""

from scripts.evasions.evasion import Evasion, deployed

_STAGE = "    STAGE: ${sls:stage}\n"
_SEND = "  app_send:\n"
_CONSOLE_ENVIRONMENT = "      <<: *console_environment\n"
_HTTP = "      - httpApi: {method: POST, path: /app/send}\n"
_RESOURCES = "  Resources:\n"
_EXTENSIONS = "  extensions:\n"


def _setting(name: str, value: str, rule: str = "setting-unknown") -> Evasion:
    return deployed(f"{name} in the environment of every function", rule, _STAGE, f"{_STAGE}    {name}: {value}\n")


def _entry(name: str, rule: str, line: str) -> Evasion:
    return deployed(name, rule, _SEND, f"{_SEND}    {line}\n")


def _event(name: str, rule: str, event: str) -> Evasion:
    return deployed(name, rule, _HTTP, f"{_HTTP}      - {event}\n")


def _resource(name: str, kind: str, properties: str = "{}", rule: str = "resource-form") -> Evasion:
    return deployed(name, rule, _RESOURCES, f"{_RESOURCES}    Planted: {{Type: '{kind}', Properties: {properties}}}\n")


def _extension(name: str, of: str, value: str, rule: str = "resource-form") -> Evasion:
    return deployed(name, rule, _EXTENSIONS, f"{_EXTENSIONS}    {of}: {value}\n")


WHOLE = [
    _setting("AWS_ENDPOINT_URL", "https://elsewhere.example", "template-form"),
    _setting("AWS_ENDPOINT_URL_SSM", "https://elsewhere.example"),
    _setting("AWS_LAMBDA_EXEC_WRAPPER", "/opt/wrapper"),
    _setting("AWS_REGION", "us-east-1", "template-form"),
    _setting("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE", "template-form"),
    _setting("PYTHONPATH", "/opt/python"),
    _setting("PYTHONSTARTUP", "/opt/start.py"),
    _setting("PYTHONINSPECT", "1"),
    _setting("LD_PRELOAD", "/opt/x.so"),
    _setting("LD_LIBRARY_PATH", "/opt/lib", "template-form"),
    _setting("LOCAL_KEY_FILE", "/tmp/keys", "template-form"),
    _setting("HTTPS_PROXY", "https://elsewhere.example"),
    _setting("SSL_CERT_FILE", "/tmp/own.pem"),
    _setting("QUEUE_KEY", "hunter2hunter2hunter2hunter2hunter2"),
    _setting("SUPABASE_URL", "https://elsewhere.example", "template-form"),
    deployed(
        "a secret's value as the release",
        "template-form",
        "RELEASE: ${param:release}",
        "RELEASE: '{{resolve:ssm:/portero/prod/QUEUE_KEY}}'",
    ),
    deployed(
        "another prefix of parameters",
        "template-form",
        "PARAMETER_PREFIX: /portero/${sls:stage}",
        "PARAMETER_PREFIX: /elsewhere",
    ),
    deployed("a fixed stage in the environment", "template-form", _STAGE, "    STAGE: dev-1\n"),
    deployed("payload format 1.0", "template-form", 'payload: "2.0"', 'payload: "1.0"'),
    deployed("CORS by API Gateway", "template-form", 'payload: "2.0"', 'payload: "2.0"\n    cors: true'),
    deployed(
        "CORS * by API Gateway", "template-form", 'payload: "2.0"', 'payload: "2.0"\n    cors: {allowedOrigins: ["*"]}'
    ),
    deployed(
        "an authorizer of API Gateway",
        "template-form",
        'payload: "2.0"',
        'payload: "2.0"\n    authorizers: {x: {type: request}}',
    ),
    deployed("another API", "template-form", 'payload: "2.0"', 'payload: "2.0"\n    id: abcdef'),
    deployed(
        "another domain's mTLS", "template-form", 'payload: "2.0"', 'payload: "2.0"\n    disableDefaultEndpoint: false'
    ),
    deployed(
        "layers for every function",
        "deployment-hidden",
        "  versionFunctions: false\n",
        "  versionFunctions: false\n  layers: [x]\n",
    ),
    deployed(
        "a container image of the provider",
        "template-form",
        "  versionFunctions: false\n",
        "  versionFunctions: false\n  ecr: {images: {}}\n",
    ),
    deployed(
        "a network of its own",
        "template-form",
        "  versionFunctions: false\n",
        "  versionFunctions: false\n  vpc: {subnetIds: [x]}\n",
    ),
    deployed("versions that stay callable", "template-form", "versionFunctions: false", "versionFunctions: true"),
    deployed("another runtime", "template-form", "runtime: python3.13", "runtime: provided.al2023"),
    deployed("an old runtime", "template-form", "runtime: python3.13", "runtime: python3.8"),
    deployed(
        "a time-out of a quarter of an hour",
        "template-form",
        "  timeout: 10\n  logRetention",
        "  timeout: 900\n  logRetention",
    ),
    deployed(
        "a log that is kept for ever",
        "template-form",
        "logRetentionInDays: ${param:logRetention}",
        "logRetentionInDays: 3653",
    ),
    deployed(
        "an access log that holds the address",
        "template-form",
        '"route":"$context.routeKey"',
        '"ip":"$context.identity.sourceIp"',
    ),
    deployed(
        "an access log that holds the path", "template-form", '"route":"$context.routeKey"', '"path":"$context.path"'
    ),
    deployed(
        "an access log that holds the token",
        "template-form",
        '"route":"$context.routeKey"',
        '"t":"$request.header.authorization"',
    ),
    deployed("no traces of calls", "template-form", "tracing: {lambda: true}", "tracing: {lambda: false}"),
    deployed(
        "a role for every function", "template-form", "  iam:\n    role:\n", "  iam:\n    role:\n      name: wide\n"
    ),
    deployed(
        "a role from elsewhere for every function",
        "template-form",
        '  iam:\n    role:\n      statements:\n        # X-Ray knows no narrower resource.\n        - {Effect: Allow, Action: ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], Resource: "*"}\n',
        "  iam:\n    role: arn:aws:iam::1:role/admin\n",
    ),
    deployed(
        "managed policies for every function",
        "template-form",
        "  iam:\n    role:\n",
        "  iam:\n    role:\n      managedPolicies: [arn:aws:iam::aws:policy/AdministratorAccess]\n",
    ),
    deployed(
        "a permission boundary of one's own",
        "template-form",
        "  iam:\n    role:\n",
        "  iam:\n    role:\n      permissionsBoundary: arn:aws:iam::1:policy/none\n",
    ),
    deployed(
        "a deployment role",
        "template-form",
        "  iam:\n    role:\n",
        "  iam:\n    deploymentRole: arn:aws:iam::1:role/admin\n    role:\n",
    ),
    deployed(
        "one statement more for every function",
        "template-form",
        "        # X-Ray knows",
        '        - {Effect: Allow, Action: "ssm:*", Resource: "*"}\n        # X-Ray knows',
    ),
    deployed(
        "a wider action for every function",
        "template-form",
        '["xray:PutTraceSegments", "xray:PutTelemetryRecords"]',
        '["xray:*"]',
    ),
    deployed(
        "another plugin",
        "template-form",
        "  - serverless-iam-roles-per-function\n",
        "  - serverless-iam-roles-per-function\n  - ./plugin.js\n",
    ),
    deployed("no plugin for roles", "template-form", "  - serverless-iam-roles-per-function\n", "  []\n"),
    deployed("code under custom", "template-form", "custom:\n", "custom:\n  scripts: {hooks: {x: curl}}\n"),
    deployed(
        "roles that do not inherit",
        "template-form",
        "    defaultInherit: true\n",
        "    defaultInherit: true\n    iamGlobalPermissionsBoundary: x\n",
    ),
    deployed("a secret of another stage", "template-form", "${sls:stage}/META_APP_SECRET", "prod/META_APP_SECRET"),
    deployed("a secret that is a pattern", "template-form", "${sls:stage}/META_APP_SECRET", "${sls:stage}/*"),
    deployed(
        "parameters of a stage that nobody deploys from here",
        "template-form",
        "  prod:\n    logRetention",
        "  staging: {publicUrl: x}\n  prod:\n    logRetention",
    ),
    deployed(
        "parameters of prod that open the console's origins",
        "setting-form",
        "  prod:\n",
        '  prod:\n    allowedOrigins: "*"\n',
    ),
    deployed(
        "parameters of prod that send the model's text elsewhere",
        "setting-form",
        "  prod:\n",
        "  prod:\n    aiBaseUrl: http://elsewhere.example\n",
    ),
    deployed("a throttle of a million", "setting-form", "requestsPerSecond: 500", "requestsPerSecond: 1000000"),
    deployed(
        "a log that is kept for ten years by its parameter", "setting-form", "logRetention: 90", "logRetention: 3653"
    ),
    deployed(
        "a pattern of files for every zip",
        "template-form",
        "  individually: true\n",
        '  individually: true\n  patterns: ["**"]\n',
    ),
    deployed(
        "files beside the zip", "template-form", "  individually: true\n", '  individually: true\n  include: [".env"]\n'
    ),
    deployed("one zip for all", "template-form", "  individually: true\n", "  individually: false\n"),
    deployed("validation that only warns", "template-form", "configValidationMode: error", "configValidationMode: off"),
    deployed("a nested service", "template-form", "service: portero\n", "service: portero\nextends: other.yml\n"),
    deployed(
        "variables of another file",
        "template-form",
        "service: portero\n",
        "service: portero\nvariablesResolutionMode: 20210326\n",
    ),
    deployed("an environment file", "template-form", "service: portero\n", "service: portero\nuseDotenv: true\n"),
    deployed(
        "layers of this stack", "template-form", "service: portero\n", "service: portero\nlayers: {x: {path: x}}\n"
    ),
    deployed(
        "step functions of this stack", "template-form", "service: portero\n", "service: portero\nstepFunctions: {}\n"
    ),
    deployed(
        "functions from another file",
        "deployment-unreadable",
        "functions:\n  webhook_meta:",
        "functions: ${file(x.yml)}\nothers:\n  webhook_meta:",
    ),
    deployed(
        "a function of which there is no file",
        "deployment-orphan",
        _SEND,
        "  app_ghost: {handler: x.handler}\n\n" + _SEND,
    ),
    deployed(
        "a function that is listed twice",
        "deployment-unreadable",
        _SEND,
        "  app_usage: {handler: x.handler}\n\n" + _SEND,
    ),
]

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
    _entry("layers of one function", "deployment-hidden", "layers: [arn:aws:lambda:x:1:layer:x:1]"),
    _entry("an image of one function", "deployment-hidden", "image: x"),
    _entry("a file system of one function", "deployment-hidden", "fileSystemConfig: {arn: x, localMountPath: /mnt/x}"),
    _entry("a function URL", "deployment-hidden", "url: true"),
    _entry("a role from elsewhere for one function", "template-form", "role: arn:aws:iam::1:role/admin"),
    _entry("the role of another function", "template-form", "role: QueueUnderscoresendIamRoleLambdaExecution"),
    _entry("managed policies for one function", "template-form", "iamManagedPolicies: [x]"),
    _entry("a permission boundary for one function", "template-form", "iamPermissionsBoundary: x"),
    _entry("another runtime for one function", "template-form", "runtime: provided.al2023"),
    _entry("another runtime management for one function", "template-form", "runtimeManagement: manual"),
    _entry("a network for one function", "template-form", "vpc: {subnetIds: [x]}"),
    _entry("a name that another stack owns", "template-form", "name: other-function"),
    _entry("a snapshot of its memory", "template-form", "snapStart: true"),
    _entry("a key of its own for the environment", "template-form", "kmsKeyArn: x"),
    _entry("a condition that leaves it out", "template-form", "condition: Never"),
    _entry("a dead letter topic elsewhere", "template-form", "onError: arn:aws:sns:x:1:x"),
    _entry("all environments warm", "template-form", "provisionedConcurrency: 100"),
    _entry("no traces of one function", "template-form", "tracing: PassThrough"),
    _entry("no log of one function", "template-form", "disableLogs: true"),
    _entry("a log of one function that stays", "template-form", "logRetentionInDays: 3653"),
    _entry("destinations elsewhere", "template-form", "destinations: {onSuccess: arn:aws:sqs:x:1:x}"),
    _entry("unlimited concurrency", "template-form", "reservedConcurrency: 1000"),
    _entry("a time-out beyond API Gateway's", "timeout-long", "timeout: 60"),
    _entry("a time-out below the guard's", "timeout-short", "timeout: 5"),
    _entry("a time-out that is no number", "deployment-unreadable", "timeout: ${param:x}"),
    _entry("a key that is written twice", "deployment-unreadable", "handler: functions/app_send.handler"),
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
    deployed("a bucket elsewhere", "setting-form", "MEDIA_BUCKET: !Ref MediaBucket", "MEDIA_BUCKET: elsewhere", _SEND),
    deployed(
        "another bucket of ours",
        "setting-form",
        "MEDIA_BUCKET: !Ref MediaBucket",
        "MEDIA_BUCKET: !Ref KnowledgeBucket",
        _SEND,
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

_QUEUE_ROLE = '{Effect: Allow, Action: "sqs:SendMessage", Resource: !GetAtt SendQueue.Arn}'
_BUCKET_ROLE = '{Effect: Allow, Action: "s3:PutObject", Resource: !Sub "${MediaBucket.Arn}/*"}'


def _role(name: str, rule: str, old: str, new: str) -> Evasion:
    return deployed(name, rule, old, new, _SEND)


ROLES = [
    _role("every action", "invocation", '"s3:PutObject"', '"*"'),
    _role("every action of S3", "invocation", '"s3:PutObject"', '"s3:*"'),
    _role("every action that puts", "invocation", '"s3:PutObject"', '"s3:Put*"'),
    _role("one action more", "role-excess", '"s3:PutObject"', '["s3:PutObject", "s3:GetObject"]'),
    _role("a list of the bucket", "role-excess", '"s3:PutObject"', '["s3:PutObject", "s3:ListBucket"]'),
    _role("every resource", "role-excess", '!Sub "${MediaBucket.Arn}/*"', '"*"'),
    _role(
        "the other bucket too",
        "role-excess",
        '!Sub "${MediaBucket.Arn}/*"',
        '[!Sub "${MediaBucket.Arn}/*", !Sub "${KnowledgeBucket.Arn}/*"]',
    ),
    _role("every queue", "role-excess", "!GetAtt SendQueue.Arn}", '"arn:aws:sqs:*:*:*"}'),
    _role("another queue", "role-missing", "!GetAtt SendQueue.Arn}", "!GetAtt ReplyQueue.Arn}"),
    _role("every parameter", "role-excess", "[*UPSTASH_REDIS_REST_TOKEN, *QUEUE_KEY]", '"*"'),
    _role(
        "every parameter of the stage",
        "role-excess",
        "[*UPSTASH_REDIS_REST_TOKEN, *QUEUE_KEY]",
        "[*UPSTASH_REDIS_REST_TOKEN, *QUEUE_KEY, !Sub 'arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/portero/${sls:stage}/*']",
    ),
    _role(
        "a parameter too much",
        "role-excess",
        "[*UPSTASH_REDIS_REST_TOKEN, *QUEUE_KEY]",
        "[*UPSTASH_REDIS_REST_TOKEN, *QUEUE_KEY, *SUPABASE_SECRET_KEY]",
    ),
    _role(
        "a parameter too few", "role-missing", "[*UPSTASH_REDIS_REST_TOKEN, *QUEUE_KEY]", "[*UPSTASH_REDIS_REST_TOKEN]"
    ),
    _role(
        "another action on parameters",
        "role-excess",
        '"ssm:GetParameters"',
        '["ssm:GetParameters", "ssm:PutParameter"]',
    ),
    _role("NotAction", "role-form", 'Action: "s3:PutObject"', 'NotAction: "s3:DeleteBucket"'),
    _role("NotResource", "role-form", 'Resource: !Sub "${MediaBucket.Arn}/*"', 'NotResource: "x"'),
    _role("a statement with a principal", "role-form", _BUCKET_ROLE, _BUCKET_ROLE[:-1] + ', Principal: "*"}'),
    _role(
        "a statement that denies",
        "role-form",
        '{Effect: Allow, Action: "s3:PutObject"',
        '{Effect: Deny, Action: "s3:PutObject"',
    ),
    _role(
        "a statement more",
        "role-excess",
        _QUEUE_ROLE,
        f'{_QUEUE_ROLE}\n      - {{Effect: Allow, Action: "iam:PassRole", Resource: "*"}}',
    ),
    _role(
        "a statement that lets it call functions",
        "invocation",
        _QUEUE_ROLE,
        f'{_QUEUE_ROLE}\n      - {{Effect: Allow, Action: "lambda:InvokeFunction", Resource: "*"}}',
    ),
    _role(
        "a statement that lets it become another role",
        "role-excess",
        _QUEUE_ROLE,
        f'{_QUEUE_ROLE}\n      - {{Effect: Allow, Action: "sts:AssumeRole", Resource: "*"}}',
    ),
    _role("a statement less", "role-missing", f"      - {_QUEUE_ROLE}\n", ""),
    _role("a condition more", "role-missing", _QUEUE_ROLE, _QUEUE_ROLE[:-1] + ", Condition: {Bool: {x: 'true'}}}"),
    _role(
        "statements from another file",
        "role-form",
        "    iamRoleStatements:\n",
        "    iamRoleStatements: ${file(x.yml)}\n    others:\n",
    ),
    deployed(
        "Deny that became Allow for a bucket",
        "resource-form",
        "- Effect: Deny",
        "- Effect: Allow",
        "KnowledgeBucketPolicy:",
    ),
    deployed(
        "a role that decrypts for every purpose",
        "role-excess",
        '        Condition: {StringEquals: {"kms:EncryptionContext:purpose": credentials}}\n',
        "",
    ),
    deployed(
        "a role that decrypts with every key", "role-excess", "Resource: !GetAtt CredentialsKey.Arn", 'Resource: "*"'
    ),
    deployed(
        "a role that encrypts too", "role-excess", 'Action: "kms:Decrypt"', 'Action: ["kms:Decrypt", "kms:Encrypt"]'
    ),
    deployed(
        "a public function with a role",
        "role-excess",
        "    iamRoleStatements: []\n    events:\n      - httpApi",
        '    iamRoleStatements: [{Effect: Allow, Action: "s3:GetObject", Resource: "*"}]\n    events:\n      - httpApi',
    ),
    _entry("a role that does not inherit", "template-form", "iamRoleStatementsInherit: true"),
    _entry("a name of its own for the role", "template-form", "iamRoleStatementsName: admin"),
]

RESOURCES = [
    _resource("a nested stack", "AWS::CloudFormation::Stack", "{TemplateURL: x}"),
    _resource("a custom resource", "AWS::CloudFormation::CustomResource", "{ServiceToken: x}"),
    _resource("a custom resource by its own name", "Custom::Planted", "{ServiceToken: x}"),
    _resource("a macro", "AWS::CloudFormation::Macro", "{FunctionName: x}"),
    _resource("a permission to call a function", "AWS::Lambda::Permission", "{Principal: '*'}", "deployment-hidden"),
    _resource("a URL of a function", "AWS::Lambda::Url", "{AuthType: NONE}", "deployment-hidden"),
    _resource("a function", "AWS::Lambda::Function", "{}", "deployment-hidden"),
    _resource("an alias of a function", "AWS::Lambda::Alias", "{}", "deployment-hidden"),
    _resource("a source of events", "AWS::Lambda::EventSourceMapping", "{}", "deployment-hidden"),
    _resource("a layer", "AWS::Lambda::LayerVersion"),
    _resource("a version of a function", "AWS::Lambda::Version"),
    _resource("a route", "AWS::ApiGatewayV2::Route", "{RouteKey: $default}", "deployment-hidden"),
    _resource("an integration", "AWS::ApiGatewayV2::Integration", "{}", "deployment-hidden"),
    _resource("an API", "AWS::ApiGatewayV2::Api", "{}", "deployment-hidden"),
    _resource("a stage of the API", "AWS::ApiGatewayV2::Stage"),
    _resource("a domain of the API", "AWS::ApiGatewayV2::ApiMapping"),
    _resource("a function of SAM", "AWS::Serverless::Function", "{}", "deployment-hidden"),
    _resource("an application of SAM", "AWS::Serverless::Application", "{}", "deployment-hidden"),
    _resource("a role", "AWS::IAM::Role", "{ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]}"),
    _resource("a policy for roles", "AWS::IAM::Policy"),
    _resource("a managed policy", "AWS::IAM::ManagedPolicy"),
    _resource("a user with keys", "AWS::IAM::AccessKey"),
    _resource("a rule of events", "AWS::Events::Rule"),
    _resource("a schedule", "AWS::Scheduler::Schedule"),
    _resource("a pipe", "AWS::Pipes::Pipe"),
    _resource("a subscription of a log", "AWS::Logs::SubscriptionFilter"),
    _resource("a bucket of another form", "AWS::S3::Bucket"),
    _resource("an access point of a bucket", "AWS::S3::AccessPoint"),
    _resource("a distribution", "AWS::CloudFront::Distribution"),
    _resource("a parameter with a value", "AWS::SSM::Parameter", "{Type: String, Value: x}"),
    _resource("a machine", "AWS::EC2::Instance"),
    _resource("a topic that anybody may publish to", "AWS::SNS::TopicPolicy"),
    _resource(
        "a second subscriber of alarms",
        "AWS::SNS::Subscription",
        "{TopicArn: !Ref AlarmTopic, Protocol: https, Endpoint: 'https://x.example'}",
    ),
    deployed(
        "another type of a resource", "resource-form", "Type: AWS::SNS::Topic\n", "Type: AWS::CloudFormation::Stack\n"
    ),
    deployed(
        "a transformation of the template",
        "template-form",
        "  Conditions:\n",
        "  Transform: AWS::Serverless-2016-10-31\n  Conditions:\n",
    ),
    deployed(
        "outputs of the template", "template-form", "  Conditions:\n", "  Outputs: {X: {Value: x}}\n  Conditions:\n"
    ),
    deployed(
        "a condition of the stack more",
        "template-form",
        "  Conditions:\n",
        "  Conditions:\n    Never: !Equals [a, b]\n",
    ),
    deployed(
        "the shared role is made after all",
        "template-form",
        "!Equals [per-function, shared]",
        "!Equals [shared, shared]",
    ),
    deployed(
        "resources from another file",
        "deployment-unreadable",
        "resources:\n  Conditions:",
        "resources: ${file(x.yml)}\nothers:\n  Conditions:",
    ),
    _extension(
        "an extension of a function",
        "AppUnderscoresendLambdaFunction",
        "{Properties: {Handler: x}}",
        "deployment-hidden",
    ),
    _extension("an extension of a role", "AppUnderscoresendIamRoleLambdaExecution", "{Properties: {Policies: []}}"),
    _extension("an extension of the API", "HttpApi", "{Properties: {CorsConfiguration: {AllowOrigins: ['*']}}}"),
    _extension("an extension of a route", "HttpApiRoutePostAppSend", "{Properties: {AuthorizationType: NONE}}"),
    _extension("an extension of a log group", "AppUnderscoresendLogGroup", "{Properties: {RetentionInDays: 3653}}"),
    _extension(
        "an extension of a source of events",
        "QueueUnderscorereplyEventSourceMappingSQSReplyQueue",
        "{Properties: {Enabled: false}}",
    ),
    deployed(
        "a stage of the API without a throttle",
        "resource-form",
        "ThrottlingRateLimit: ${param:requestsPerSecond}",
        "ThrottlingRateLimit: 100000",
    ),
    deployed(
        "a stage of the API with another log",
        "resource-form",
        "    HttpApiStage:\n      Properties:\n",
        "    HttpApiStage:\n      Properties:\n        AccessLogSettings: {Format: $context.path}\n",
    ),
    deployed(
        "a stage of the API with route settings",
        "resource-form",
        "    HttpApiStage:\n      Properties:\n",
        "    HttpApiStage:\n      Properties:\n        RouteSettings: {}\n",
    ),
    deployed(
        "the shared role is given a policy",
        "resource-form",
        "      Condition: HasSharedRole\n",
        "      Condition: HasSharedRole\n      Properties: {Policies: []}\n",
    ),
    deployed(
        "a queue without encryption",
        "resource-form",
        "&queue {FifoQueue: true, SqsManagedSseEnabled: true}",
        "&queue {FifoQueue: true, SqsManagedSseEnabled: false}",
    ),
    deployed(
        "a queue without its dead-letter queue",
        "resource-missing",
        "        RedrivePolicy: {deadLetterTargetArn: !GetAtt SendDeadLetters.Arn, maxReceiveCount: 5}\n",
        "",
    ),
    deployed(
        "a queue that tries a thousand times",
        "resource-form",
        "SendDeadLetters.Arn, maxReceiveCount: 5",
        "SendDeadLetters.Arn, maxReceiveCount: 1000",
    ),
    deployed(
        "the dead-letter queue of another queue",
        "resource-missing",
        "!GetAtt SendDeadLetters.Arn, max",
        "!GetAtt ReplyDeadLetters.Arn, max",
    ),
    deployed(
        "a queue that forgets within a minute",
        "resource-missing",
        "        VisibilityTimeout: 180\n",
        "        VisibilityTimeout: 180\n        MessageRetentionPeriod: 60\n",
    ),
    deployed(
        "a queue that hands out a message twice", "resource-missing", "VisibilityTimeout: 360", "VisibilityTimeout: 30"
    ),
    deployed(
        "a queue that is not in order",
        "resource-missing",
        "&queue {FifoQueue: true, SqsManagedSseEnabled: true}",
        "&queue {SqsManagedSseEnabled: true}",
    ),
    deployed(
        "a queue that anybody may send to",
        "resource-form",
        "Principal: {Service: events.amazonaws.com}",
        'Principal: "*"',
    ),
    deployed(
        "a queue that everything of AWS may send to",
        "resource-form",
        '              Condition: {ArnLike: {"aws:SourceArn"',
        '              Sid: x\n              Condition: {ArnLike: {"aws:SourceArn"',
    ),
    deployed(
        "a queue policy with every action",
        "resource-form",
        'Action: "sqs:SendMessage"\n              Resource: !GetAtt CronFailures.Arn',
        'Action: "sqs:*"\n              Resource: !GetAtt CronFailures.Arn',
    ),
    deployed("a queue policy for every rule", "resource-form", ":rule/${AWS::StackName}-*", ":rule/*"),
    deployed(
        "a queue policy of another queue", "resource-form", "Queues: [!Ref CronFailures]", "Queues: [!Ref ReplyQueue]"
    ),
    deployed(
        "a key that anybody may use",
        "resource-form",
        'Principal: {AWS: !Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}',
        'Principal: "*"',
    ),
    deployed(
        "a key that another account may use", "resource-form", "iam::${AWS::AccountId}:root", "iam::123456789012:root"
    ),
    deployed("a key that does not rotate", "resource-form", "EnableKeyRotation: true", "EnableKeyRotation: false"),
    deployed("a key that goes within a week", "resource-form", "PendingWindowInDays: 30", "PendingWindowInDays: 1"),
    deployed(
        "a key that goes with its stack",
        "resource-form",
        "DeletionPolicy: Retain",
        "DeletionPolicy: Delete",
        "CredentialsKey:",
    ),
    deployed(
        "an alias of another key",
        "resource-form",
        "TargetKeyId: !Ref CredentialsKey",
        "TargetKeyId: arn:aws:kms:x:1:key/x",
    ),
    deployed("a bucket with public lists", "resource-form", "BlockPublicAcls: true", "BlockPublicAcls: false"),
    deployed("a bucket with public policies", "resource-form", "BlockPublicPolicy: true", "BlockPublicPolicy: false"),
    deployed(
        "a bucket that is not restricted",
        "resource-form",
        "RestrictPublicBuckets: true",
        "RestrictPublicBuckets: false",
    ),
    deployed(
        "a bucket without encryption",
        "resource-form",
        "            - ServerSideEncryptionByDefault: {SSEAlgorithm: AES256}\n",
        "            []\n",
    ),
    deployed(
        "a bucket of other owners",
        "resource-form",
        "ObjectOwnership: BucketOwnerEnforced",
        "ObjectOwnership: ObjectWriter",
    ),
    deployed(
        "a bucket for every origin",
        "resource-form",
        'AllowedOrigins: !Split [" ", "${param:allowedOrigins}"]',
        'AllowedOrigins: ["*"]',
    ),
    deployed("a bucket that browsers read", "resource-form", "AllowedMethods: [POST]", "AllowedMethods: [POST, GET]"),
    deployed(
        "a bucket that is a web site",
        "resource-form",
        "        OwnershipControls:",
        "        WebsiteConfiguration: {IndexDocument: x}\n        OwnershipControls:",
    ),
    deployed(
        "a bucket that copies itself elsewhere",
        "resource-form",
        "        OwnershipControls:",
        "        ReplicationConfiguration: {}\n        OwnershipControls:",
    ),
    deployed(
        "a bucket that tells another function",
        "resource-form",
        "        OwnershipControls:",
        "        NotificationConfiguration: {}\n        OwnershipControls:",
    ),
    deployed("a bucket that keeps media for years", "resource-form", "ExpirationInDays: 31", "ExpirationInDays: 4000"),
    deployed(
        "a bucket that forgets nothing",
        "resource-missing",
        "        LifecycleConfiguration: {Rules: [{Id: forgotten, Status: Enabled, ExpirationInDays: 31}]}\n",
        "",
    ),
    deployed(
        "a bucket policy that allows anybody",
        "resource-form",
        '- Effect: Deny\n              Principal: "*"\n              Action: "s3:*"',
        '- Effect: Allow\n              Principal: "*"\n              Action: "s3:GetObject"',
    ),
    deployed(
        "a bucket policy that lets plain HTTP in",
        "resource-form",
        '"aws:SecureTransport": "false"',
        '"aws:SecureTransport": "never"',
    ),
    deployed(
        "a bucket policy of another bucket",
        "resource-missing",
        "Bucket: !Ref MediaBucket\n",
        "Bucket: !Ref KnowledgeBucket\n",
    ),
    deployed(
        "a bucket without its policy",
        "resource-missing",
        '    MediaBucketPolicy:\n      Type: AWS::S3::BucketPolicy\n      Properties:\n        Bucket: !Ref MediaBucket\n        PolicyDocument:\n          Version: "2012-10-17"\n          Statement:\n            - Effect: Deny\n              Principal: "*"\n              Action: "s3:*"\n              Resource: [!GetAtt MediaBucket.Arn, !Sub "${MediaBucket.Arn}/*"]\n              Condition: {Bool: {"aws:SecureTransport": "false"}}\n',
        "",
    ),
    deployed(
        "a metric that another log makes",
        "resource-form",
        "LogGroupName: !Ref QueueUnderscoresendLogGroup",
        "LogGroupName: other",
    ),
    deployed(
        "a metric that counts nothing",
        "resource-form",
        'MetricName: queue_send_unreadable, MetricValue: "1"',
        'MetricName: queue_send_unreadable, MetricValue: "0"',
    ),
    deployed("a metric of another text", "resource-form", '$.event = "credential unreadable"', "$.event = %nothing%"),
]

ALARMS = [
    deployed("a threshold of a million", "alarm-bounds", "        Threshold: 0\n", "        Threshold: 1000000\n"),
    deployed(
        "a threshold of one more",
        "alarm-bounds",
        "        Threshold: 0\n",
        "        Threshold: 1\n",
        "WebhookMetaErrorsAlarm:",
    ),
    deployed("a threshold of a day's wait", "alarm-bounds", "Threshold: 300", "Threshold: 86400"),
    deployed(
        "a threshold that is no number", "alarm-bounds", "        Threshold: 0\n", "        Threshold: ${param:x}\n"
    ),
    deployed("a refused share of everything", "alarm-bounds", "Threshold: 0.2", "Threshold: 1.0"),
    deployed(
        "another operator",
        "alarm-bounds",
        "ComparisonOperator: GreaterThanThreshold",
        "ComparisonOperator: LessThanThreshold",
    ),
    deployed(
        "an operator that there is not here",
        "resource-form",
        "ComparisonOperator: GreaterThanThreshold",
        "ComparisonOperator: GreaterThanUpperThreshold",
    ),
    deployed("a period of a day", "resource-form", "        Period: 300\n", "        Period: 86400\n"),
    deployed("a hundred periods", "resource-form", "EvaluationPeriods: 1\n", "EvaluationPeriods: 100\n"),
    deployed(
        "data points of which some may be bad",
        "resource-form",
        "EvaluationPeriods: 1\n",
        "EvaluationPeriods: 1\n        DatapointsToAlarm: 1\n",
    ),
    deployed("an average in place of a sum", "resource-form", "Statistic: Sum", "Statistic: Average"),
    deployed(
        "a percentile in place of a sum",
        "resource-form",
        "        Statistic: Sum\n",
        "        ExtendedStatistic: p50\n",
    ),
    deployed("an alarm without an action", "resource-form", "AlarmActions: [!Ref AlarmTopic]", "AlarmActions: []"),
    deployed(
        "an alarm with another action",
        "resource-form",
        "AlarmActions: [!Ref AlarmTopic]",
        "AlarmActions: [arn:aws:sns:x:1:x]",
    ),
    deployed(
        "an alarm whose actions are off",
        "resource-form",
        "AlarmActions: [!Ref AlarmTopic]",
        "AlarmActions: [!Ref AlarmTopic]\n        ActionsEnabled: false",
    ),
    deployed(
        "an alarm that takes silence as well",
        "alarm-bounds",
        "TreatMissingData: breaching",
        "TreatMissingData: notBreaching",
    ),
    deployed(
        "an alarm that ignores silence", "resource-form", "TreatMissingData: notBreaching", "TreatMissingData: ignore"
    ),
    deployed(
        "an alarm under a condition",
        "resource-form",
        "    WebhookMetaErrorsAlarm:\n",
        "    WebhookMetaErrorsAlarm:\n      Condition: HasAlarmEmail\n",
    ),
    deployed(
        "an alarm of another metric", "alarm-missing", "        MetricName: Errors\n", "        MetricName: Throttles\n"
    ),
    deployed("an alarm of another namespace", "resource-form", "Namespace: AWS/Lambda", "Namespace: other"),
    deployed(
        "an alarm of another function",
        "alarm-missing",
        "Value: !Ref AppUnderscoresendLambdaFunction",
        "Value: !Ref AppUnderscoreusageLambdaFunction",
    ),
    deployed(
        "an alarm of no function",
        "alarm-missing",
        "Dimensions: [{Name: FunctionName, Value: !Ref AppUnderscoresendLambdaFunction}]",
        "Dimensions: []",
    ),
    deployed(
        "an alarm of a misspelt dimension",
        "alarm-missing",
        "Dimensions: [{Name: FunctionName, Value: !Ref AppUnderscoresendLambdaFunction}]",
        "Dimensions: [{Name: Function, Value: !Ref AppUnderscoresendLambdaFunction}]",
    ),
    deployed(
        "a function's alarm is taken out",
        "alarm-missing",
        "    AppSendErrorsAlarm:\n      Type: AWS::CloudWatch::Alarm\n      Properties: {<<: *errors, Dimensions: [{Name: FunctionName, Value: !Ref AppUnderscoresendLambdaFunction}]}\n",
        "",
    ),
    deployed(
        "a dead-letter queue's alarm is taken out",
        "alarm-missing",
        "Dimensions: [{Name: QueueName, Value: !GetAtt SendDeadLetters.QueueName}]",
        "Dimensions: [{Name: QueueName, Value: !GetAtt SendQueue.QueueName}]",
    ),
    deployed(
        "a webhook's share of refusals is another's",
        "alarm-missing",
        "MetricName: refusals, Dimensions: [{Name: function, Value: webhook_paddle}]",
        "MetricName: refusals, Dimensions: [{Name: function, Value: webhook_meta}]",
    ),
    deployed(
        "a share of the calls of another function",
        "resource-form",
        "MetricName: calls, Dimensions: [{Name: function, Value: webhook_paddle}]",
        "MetricName: calls, Dimensions: [{Name: function, Value: app_send}]",
    ),
    deployed(
        "a share that is always zero",
        "resource-form",
        'Expression: "IF(calls >= 20, refusals / calls, 0)"',
        'Expression: "0 * calls"',
    ),
    deployed(
        "a schedule's silence alarm of a minute more",
        "resource-form",
        "        EvaluationPeriods: 2\n",
        "        EvaluationPeriods: 3\n",
    ),
    deployed("no alarm of the API's faults", "alarm-missing", "MetricName: 5xx", "MetricName: 4xx"),
    deployed(
        "no alarm of waiting customers",
        "alarm-missing",
        "Dimensions: [{Name: QueueName, Value: !GetAtt ReplyQueue.QueueName}]\n        Threshold: 300",
        "Dimensions: [{Name: QueueName, Value: !GetAtt SendQueue.QueueName}]\n        Threshold: 300",
    ),
    deployed(
        "alarms that reach nobody", "resource-form", 'Endpoint: "${param:alarmEmail}"', "Endpoint: nobody@example.com"
    ),
]

_CRON = "  cron_recover:\n"
_REFERENCE = "{{resolve:ssm:/portero/${sls:stage}/CRON_TRIGGER}}"

SCHEDULES = [
    deployed(
        "a schedule's function with a public door",
        "deployment-events",
        "      - schedule:\n",
        "      - httpApi: {method: POST, path: /cron/recover}\n      - schedule:\n",
        _CRON,
    ),
    deployed("a schedule that holds the secret itself", "schedule-secret", _REFERENCE, "hunter2hunter2", _CRON),
    deployed("a schedule that sends another secret", "template-form", "CRON_TRIGGER", "SUPABASE_SECRET_KEY", _CRON),
    deployed("a schedule that sends the secret of another stage", "template-form", "${sls:stage}", "prod", _CRON),
    deployed(
        "a schedule without its secret",
        "schedule-secret",
        f"            authorization: Bearer {_REFERENCE}\n",
        "",
        _CRON,
    ),
    deployed(
        "a schedule that rests",
        "schedule-rests",
        "rate: rate(1 minute)\n",
        "rate: rate(1 minute)\n          enabled: false\n",
        _CRON,
    ),
    deployed("a schedule that runs once a year", "template-form", "rate(1 minute)", "rate(365 days)", _CRON),
    deployed(
        "a schedule that sends something more",
        "template-form",
        "schedule: cron_recover\n",
        "schedule: cron_recover\n            tenant: x\n",
        _CRON,
    ),
    deployed(
        "a target that holds the secret itself", "resource-form", _REFERENCE, "hunter2hunter2", "Id: cron-recover"
    ),
    deployed(
        "a target of another function",
        "resource-form",
        "CronUnderscorerecoverLambdaFunction.Arn",
        "CronUnderscorebillingLambdaFunction.Arn",
        "Id: cron-recover",
    ),
    deployed(
        "a target without a dead-letter queue",
        "resource-form",
        "    DeadLetterConfig: {Arn: !GetAtt CronFailures.Arn}\n",
        "",
    ),
    deployed(
        "a target with another role",
        "resource-form",
        "            Id: cron-recover\n",
        "            Id: cron-recover\n            RoleArn: arn:aws:iam::1:role/x\n",
    ),
    deployed(
        "a target that tries 185 times", "resource-form", "MaximumRetryAttempts: 2}", "MaximumRetryAttempts: 185}"
    ),
    deployed(
        "a second target of a schedule",
        "resource-form",
        "          - <<: *cron_target\n",
        "          - {Id: x, Arn: x}\n          - <<: *cron_target\n",
    ),
    deployed(
        "a schedule whose failures go nowhere",
        "role-excess",
        "      destinations:\n        onFailure: {type: sqs, arn: !GetAtt CronFailures.Arn}\n",
        "",
    ),
    deployed(
        "a schedule whose failures go elsewhere",
        "template-form",
        "onFailure: {type: sqs, arn: !GetAtt CronFailures.Arn}",
        "onFailure: {type: sqs, arn: arn:aws:sqs:x:1:x}",
    ),
    deployed(
        "a schedule that keeps its event for six hours",
        "template-form",
        "maximumEventAge: 3600",
        "maximumEventAge: 21600",
    ),
    _setting("AWS_LAMBDA_FUNCTION_NAME", "cron_recover", "template-form"),
]
