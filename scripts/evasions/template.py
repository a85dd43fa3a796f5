"""Evasions by the whole of serverless.yml: settings, providers and plugins for every function."""

from scripts.evasions.evasion import SEND_ENTRY, deployed, setting

WHOLE = [
    setting("AWS_ENDPOINT_URL", "https://elsewhere.example", "template-form"),
    setting("AWS_ENDPOINT_URL_SSM", "https://elsewhere.example"),
    setting("AWS_LAMBDA_EXEC_WRAPPER", "/opt/wrapper"),
    setting("AWS_REGION", "us-east-1", "template-form"),
    setting("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE", "template-form"),
    setting("PYTHONPATH", "/opt/python"),
    setting("PYTHONSTARTUP", "/opt/start.py"),
    setting("PYTHONINSPECT", "1"),
    setting("LD_PRELOAD", "/opt/x.so"),
    setting("LD_LIBRARY_PATH", "/opt/lib", "template-form"),
    setting("LOCAL_KEY_FILE", "/tmp/keys", "template-form"),
    setting("HTTPS_PROXY", "https://elsewhere.example"),
    setting("SSL_CERT_FILE", "/tmp/own.pem"),
    setting("QUEUE_KEY", "hunter2hunter2hunter2hunter2hunter2"),
    setting("SUPABASE_URL", "https://elsewhere.example", "template-form"),
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
    deployed("a fixed stage in the environment", "template-form", "    STAGE: ${sls:stage}\n", "    STAGE: dev-1\n"),
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
        SEND_ENTRY,
        "  app_ghost: {handler: x.handler}\n\n" + SEND_ENTRY,
    ),
    deployed(
        "a function that is listed twice",
        "deployment-unreadable",
        SEND_ENTRY,
        "  app_usage: {handler: x.handler}\n\n" + SEND_ENTRY,
    ),
]
