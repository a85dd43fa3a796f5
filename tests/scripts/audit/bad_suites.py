"""Every rule broken at least once, each time alone."""

from tests.scripts.audit.bad_suite import (
    APP,
    CRON,
    DEPLOYMENT,
    INTERNAL,
    MATRIX,
    NOT_BUILT,
    PUBLIC,
    QUEUE,
    ROWS,
    WAIVERS,
    WEBHOOK,
    Bad,
    after_all,
    declared,
    deployed,
    imported,
    in_body,
)
from tests.scripts.audit.good_suite import FILES, PARAMETER

OTHER = "shared/assistant/other.py"
UNTESTED = (("row-missing", ROWS, 1), ("matrix-missing", MATRIX, 1))

# The former caller keeps a permission that nothing needs.
CALLER = ("role-excess", DEPLOYMENT, 47)

FOLDER = [
    Bad(
        "file-name",
        "functions/thing.py",
        "",
        FILES[APP],
        "",
        beside=(("deployment-missing", DEPLOYMENT, 13), *UNTESTED),
    ),
    Bad(
        "file-name",
        "functions/app_Thing.py",
        "",
        FILES[APP],
        "",
        beside=(("deployment-missing", DEPLOYMENT, 13), *UNTESTED),
    ),
    Bad("foreign-file", "functions/inner/app_other.py", "", "x = 1\n", "", "functions/inner"),
    Bad("foreign-file", "functions/notes.txt", "", "x\n", ""),
    Bad("foreign-file", "functions/app_other.pyc", "", "x\n", ""),
    Bad("syntax-error", APP, "def _keep(", "def _keep((", "def _keep(("),
    Bad("syntax-error", APP, "NAMES: dict", "\x00NAMES: dict", ""),
    Bad("syntax-error", PUBLIC, "seconds=2.0", "seconds=" + "1 * " * 1500 + "2", ""),
    Bad("docstring-missing", WEBHOOK, '"""Meta calls. What it says is kept. Meta gets nothing."""\n', "", ""),
]

# A public function that declares a signature.
SIGNED = (
    FILES[PUBLIC]
    .replace("guard, public", "guard, hmac")
    .replace('public(reason="Monitors ask without credentials.", rate=60)', 'hmac("meta")')
    .replace("secrets=()", 'rate=600, secrets=("META_APP_SECRET", "META_VERIFY_TOKEN")')
)

GUARDED = "GUARD" + FILES[PUBLIC].partition("\n\nGUARD")[2].partition("\n\n\n")[0]

GUARD = [
    Bad("guard-form", PUBLIC, "GUARD = guard(\n", "GUARD, OTHER = guard(\n", "GUARD, OTHER"),
    Bad("guard-form", PUBLIC, "GUARD = guard(\n", "GUARD: object = guard(\n", "GUARD: object"),
    Bad("guard-form", PUBLIC, "GUARD = guard(\n", "GUARD = OTHER = guard(\n", "GUARD = OTHER"),
    Bad("guard-form", PUBLIC, "GUARD = guard(\n", "GUARD += guard(\n", "GUARD += guard("),
    Bad("guard-form", PUBLIC, GUARDED, "_ = (GUARD := guard())", "GUARD :="),
    Bad("guard-missing", PUBLIC, "GUARD = guard(\n", "OTHER = guard(\n", ""),
    Bad("guard-nested", PUBLIC, "GUARD = guard(\n", "if True:\n    GUARD = guard(\n", "GUARD = guard("),
    Bad("guard-nested", PUBLIC, "GUARD = guard(\n", "for _ in (1,):\n    GUARD = guard(\n", "GUARD = guard("),
    Bad("guard-nested", PUBLIC, "GUARD = guard(\n", "with print:\n    GUARD = guard(\n", "GUARD = guard("),
    Bad("guard-nested", PUBLIC, "GUARD = guard(\n", "class Inner:\n    GUARD = guard(\n", "GUARD = guard("),
    Bad("guard-nested", PUBLIC, "GUARD = guard(\n", "def _make() -> None:\n    GUARD = guard(\n", "GUARD = guard("),
    Bad("guard-nested", PUBLIC, GUARDED, "while (GUARD := guard()): ...", "GUARD :="),
    Bad("guard-repeated", PUBLIC, "\n\n@GUARD", "\nGUARD = None\n\n@GUARD", "GUARD = None"),
    after_all("guard-repeated", "GUARD: object = None"),
    after_all("guard-repeated", "del GUARD"),
    after_all("guard-repeated", "import uuid as GUARD"),
    in_body("guard-repeated", "global GUARD"),
    after_all("guard-repeated", "def _other(GUARD: object) -> None: ..."),
    after_all("guard-repeated", "GUARD += 1"),
    after_all("guard-repeated", "for GUARD in (): ..."),
    Bad("guard-computed", PUBLIC, "GUARD = guard(\n", "GUARD = str and guard(\n", "GUARD = str"),
    Bad("guard-computed", PUBLIC, "GUARD = guard(\n", "GUARD = make(\n", "GUARD = make("),
    Bad("guard-computed", PUBLIC, "seconds=2.0", "seconds=float(2)", "seconds=float(2)"),
    Bad("guard-computed", PUBLIC, "seconds=2.0", "seconds=2.0, **MORE", "**MORE"),
    Bad("guard-computed", PUBLIC, 'methods=("GET",)', "methods=METHODS", "methods=METHODS"),
    Bad("guard-computed", PUBLIC, "rate=60", "rate=60 if RATE else 0", "rate=60 if"),
    Bad("guard-computed", PUBLIC, 'reason="Monitors ask', 'reason=f"{WHO} ask', "reason=f"),
    Bad("guard-computed", QUEUE, 'queue("reply")', "KIND", "GUARD = guard(KIND"),
    declared("guard-argument", "rate=20", "rate=20, colour=1"),
    declared("guard-argument", "aal2=True", "aal2=True, aal3=True"),
    declared("guard-argument", "aal2=True", 'aal2="yes"'),
    declared("guard-argument", "rate=20", "rate=-20"),
    declared("guard-argument", "seconds=5.0", "seconds=0"),
    Bad("guard-argument", QUEUE, "seconds=5.0, ", "", "GUARD ="),
    Bad("guard-argument", QUEUE, 'queue("reply"),', 'queue("reply", 2),', "GUARD ="),
    Bad("guard-argument", PUBLIC, "secrets=()", 'secrets="none"', 'secrets="none"'),
    in_body("guard-referenced", "print(GUARD)"),
    after_all("guard-referenced", "@GUARD\ndef _other(request: Request) -> None: ...", "def handler > @GUARD"),
    imported("guard-import", "from shared import guard"),
    after_all("guard-shadowed", "class guard: ..."),
    after_all("guard-shadowed", "def _other(hmac: object) -> None: ..."),
    after_all("guard-shadowed", "jwt = 1"),
    Bad("guard-import", QUEUE, "guard, queue", "cron as queue, guard", "cron as queue"),
    Bad("kind-unknown", QUEUE, 'queue("reply")', "anybody()", "anybody()"),
    Bad("guard-import", QUEUE, "guard, queue", "guard", "GUARD ="),
    Bad("kind-prefix", PUBLIC, "", SIGNED, 'hmac("meta")'),
    Bad("scheme-unknown", WEBHOOK, 'hmac("meta")', 'hmac("stripe")', 'hmac("stripe")'),
    Bad("scheme-provider", WEBHOOK, 'hmac("meta")', 'hmac("paddle_v2")', 'hmac("paddle_v2")'),
    Bad("scheme-unknown", WEBHOOK, 'hmac("meta")', "hmac()", "hmac()", beside=(("guard-argument", WEBHOOK, 6),)),
    declared("guard-argument", "aal2=True, fresh_totp=300", "fresh_totp=300"),
    Bad("secret-missing", APP, "fresh_totp=300", "legacy=True", "secrets="),
    Bad("public-reason", PUBLIC, "Monitors ask without credentials.", "just because", "just because"),
    Bad("public-reason", PUBLIC, "Monitors ask without credentials.", "so so so so", "so so"),
    Bad("webhook-rate", WEBHOOK, "    rate=600,\n", "", 'hmac("meta")'),
    Bad("public-rate", PUBLIC, "rate=60", "rate=0", "rate=0"),
    declared("guard-methods", 'methods=("POST",)', 'methods=("post",)'),
    declared("guard-methods", 'methods=("POST",)', 'methods=("POST", "OPTIONS")'),
    Bad("guard-methods", QUEUE, "seconds=5.0", 'seconds=5.0, methods=("POST",)', "methods="),
    declared("body-limit", "body_limit=16 * 1024", "body_limit=16 * 1024 * 1024"),
    declared("body-limit", "body_limit=16 * 1024", "body_limit=None"),
    declared("store-down", 'store_down="refuse"', 'store_down="allow"'),
    declared("consumes-unknown", 'consumes=("embedding",)', 'consumes=("gold",)'),
    declared("consumption-unused", 'consumes=("embedding",)', 'consumes=("embedding", "send")'),
    declared("rates-malformed", '(("member", 5, 60),)', '(("planet", 5, 60),)'),
    declared("rates-malformed", '(("member", 5, 60),)', '(("member", 5, 0.5),)'),
    Bad("consumption-undeclared", APP, "import embed", "import complete, embed", "consumes="),
    Bad(
        "consumption-undeclared", APP, '    consumes=("embedding",),\n    rates=(("member", 5, 60),),\n', "", "GUARD ="
    ),
    Bad("consumption-unadmitted", APP, "from shared.abuse.admission import admit\n", "", "import embed"),
    Bad("consumption-unadmitted", OTHER, "", "from shared.assistant.model import embed\n", "import embed"),
    Bad("consumption-unadmitted", OTHER, "", "from shared.assistant import model\n\nX = model.embed\n", "import model"),
    Bad(
        "consumption-bypass",
        OTHER,
        "",
        "from shared.settings import Setting, read\n\nURL = read(Setting.AI_BASE_URL)\n",
        "AI_BASE_URL",
    ),
    declared("writes-unknown", '"things",', '"thongs", '),
    declared("writes-unknown", 'writes=("things",)', 'writes="things"'),
    declared("secret-unknown", '"AI_API_KEY", ', '"AI_API_KEY", "COLOUR", '),
    declared("secret-missing", '"AI_API_KEY", "UPSTASH_REDIS_REST_TOKEN"', '"AI_API_KEY",'),
    Bad("secret-missing", WEBHOOK, '"META_APP_SECRET",', '"AI_API_KEY",', '"AI_API_KEY",'),
    Bad("secret-missing", CRON, '("CRON_SECRET",)', "()", "secrets=()"),
    in_body("secret-undeclared", "print(Secret.QUEUE_KEY)"),
]

HANDLED = FILES[WEBHOOK].partition("\n\n\n")[2]

HANDLER = [
    Bad("handler-missing", WEBHOOK, "@GUARD\ndef handler", "def _other", ""),
    Bad("handler-nested", WEBHOOK, HANDLED, "handler = print\n", "handler ="),
    Bad("handler-nested", WEBHOOK, HANDLED, "from shared.data.store import keep as handler\n", "import keep"),
    Bad("handler-nested", WEBHOOK, HANDLED, "if True:\n    @GUARD\n    def handler(request): ...\n", "def handler"),
    Bad("handler-nested", WEBHOOK, HANDLED, "class handler: ...\n", "class handler"),
    Bad(
        "handler-repeated",
        WEBHOOK,
        "    return Response()\n",
        "    return Response()\n\n\nhandler = print\n",
        "handler =",
    ),
    after_all("handler-repeated", "from shared.data.store import keep as handler"),
    after_all("handler-repeated", "def _swap() -> None:\n    global handler", "global handler"),
    after_all("handler-repeated", "@GUARD2\nclass handler: ...", "class handler"),
    after_all("handler-repeated", "try:\n    pass\nexcept ValueError as handler:\n    pass", "except ValueError"),
    after_all("handler-repeated", "match 1:\n    case handler: ...", "case handler"),
    Bad("handler-async", WEBHOOK, "def handler", "async def handler", "async def"),
    Bad("handler-decorators", WEBHOOK, "@GUARD\n", "@GUARD\n@print\n", "@print"),
    Bad("handler-decorators", WEBHOOK, "@GUARD\n", "@print\n@GUARD\n", "@print"),
    Bad("handler-decorators", WEBHOOK, "@GUARD\n", "", "def handler"),
    Bad("handler-parameters", WEBHOOK, "request: Request)", "event: Request, context: object)", "def handler"),
    Bad("handler-parameters", WEBHOOK, "request: Request)", "request: Request, *more: object)", "def handler"),
    after_all("handler-referenced", "other = handler"),
    in_body("handler-referenced", "handler(request)"),
    after_all("second-handler", "def handler2(event: object, context: object) -> None: ..."),
    after_all("second-handler", "def _other(event: object, context: object) -> None: ..."),
    after_all("second-handler", "other = lambda event: event"),
    after_all("second-handler", "def __getattr__(name: str) -> None: ..."),
    after_all("second-handler", "class Other:\n    def __call__(self, event: object) -> None: ...", "def __call__"),
]

CODE = [
    after_all("module-runs-code", "print()"),
    after_all("module-runs-code", "if NAMES:\n    OTHER = 1", "if NAMES"),
    after_all("module-runs-code", "while False: ..."),
    after_all("module-runs-code", "NAMES['a'] = 'b'"),
    after_all("dynamic-code", "store.keep = print"),
    in_body("dynamic-code", "exec('1')"),
    in_body("dynamic-code", "getattr(request, 'x')"),
    in_body("dynamic-code", "globals()['x'] = 1"),
    in_body("dynamic-code", "print(request.__class__)"),
    in_body("dynamic-code", "store.keep = print"),
    in_body("dynamic-code", "open('/proc/self/environ')"),
    imported("import-star", "from uuid import *"),
    imported("import-relative", "from . import app_other"),
    imported("import-function", "from functions.webhook_meta import GUARD2"),
    imported("import-function", "import functions"),
    imported("import-verifier", "from shared.guard.verify import meta"),
    imported("import-verifier", "import cryptography.x509"),
    imported("import-verifier", "import hmac as mac"),
    imported("import-guard-part", "from shared.guard.request import HttpCall"),
    imported("import-guard-part", "from shared.guard import kinds"),
    imported("import-guard-part", "import shared.guard.people"),
    imported("guard-import", "from shared.guard import jwt as other"),
    imported("import-client", "from shared.cloud.parameters import live"),
    imported("import-client", "from shared.data.database import call"),
    imported("import-client", "from shared.data import database"),
    imported("import-client", "import httpx"),
    imported("import-client", "from urllib import request as call"),
    in_body("import-client", "import boto3"),
    imported("import-environment", "import os"),
    imported("import-environment", "from os import environ"),
    imported("import-machinery", "import subprocess"),
    imported("import-machinery", "from importlib import import_module"),
    imported("import-package", "import yaml"),
    imported("import-package", "from local.world import World"),
    imported("import-roundabout", "from shared.settings import os"),
    imported("import-environment", "import uuid, os as system"),
    imported("import-roundabout", "from logging import os"),
    after_all("import-roundabout", "import re\nWAY = re.enum.sys", "WAY ="),
    imported("import-package", "from pydantic import main"),
    imported("import-package", "from pydantic.main import BaseModel as Base"),
    imported("import-package", "import pydantic.v1"),
    in_body("import-roundabout", "store.database.call()"),
    in_body("import-roundabout", "elsewhere = store"),
    imported("import-package", "import time"),
    imported("import-machinery", "from logging import config"),
    after_all("import-verifier", "import shared.guard\nWAY = shared.guard.verify.meta.verify", "WAY ="),
    after_all("import-client", "import shared.data.store\nWAY = shared.data.database.call", "WAY ="),
    after_all("import-client", "from shared import data\nWAY = data.database.call", "WAY ="),
    after_all("import-client", "import urllib.parse\nWAY = urllib.request.urlopen", "WAY ="),
    after_all("dynamic-code", "from pydantic import ImportString"),
    after_all("dynamic-code", "import typing\nWAY = typing.get_type_hints", "WAY ="),
    after_all("module-runs-code", "class Other:\n    print()", "    print()"),
    in_body("import-roundabout", "store.json.loads('')"),
]

DEPLOYED = [
    Bad("deployment-missing", "functions/app_other.py", "", FILES[APP], "functions:", DEPLOYMENT, UNTESTED),
    deployed("deployment-orphan", "  public_health:\n", "  public_other: {}\n  public_health:\n", "public_other"),
    deployed("deployment-unreadable", "    timeout: 6\n", "    timeout: 6\n    timeout: 7\n", "timeout: 7"),
    deployed("deployment-unreadable", "    timeout: 6\n", "    timeout: ${param:x, 7}\n", "timeout: ${param"),
    deployed("deployment-unreadable", "  app_thing:\n", "  cron_sweep: {}\n  app_thing:\n", "cron_sweep > cron_sweep"),
    Bad("deployment-unreadable", DEPLOYMENT, "", "service: small\nfunctions: ${file(other.yml)}\n", "functions"),
    deployed("deployment-hidden", "    timeout: 6\n", "    timeout: 6\n    url: true\n", "url: true"),
    deployed(
        "deployment-hidden", "    ReplyQueue:\n", "    Back: {Type: AWS::Lambda::Function}\n    ReplyQueue:\n", "Back:"
    ),
    deployed("deployment-handler", "functions/public_health.handler", "functions/public_health._other"),
    deployed(
        "deployment-handler",
        "functions/public_health.handler",
        "functions/webhook_meta.handler",
        "public_health: > handler",
    ),
    deployed(
        "deployment-events",
        "      - httpApi: {method: OPTIONS",
        "      - s3: bucket\n      - httpApi: {method: OPTIONS",
        "s3:",
    ),
    deployed("deployment-hidden", "provider:\n", "provider:\n  layers: [x]\n", "layers"),
    deployed(
        "deployment-hidden",
        "resources:\n",
        "resources:\n  extensions:\n    PublicUnderscorehealthLambdaFunction: {}\n",
        "PublicUnderscorehealth",
    ),
    deployed(
        "deployment-unreadable", FILES[DEPLOYMENT].partition("resources:\n")[2], "  - ${file(more.yml)}\n", "resources:"
    ),
    deployed(
        "deployment-handler",
        "    handler: functions/public_health.handler\n",
        "    handler: functions/public_health.handler\n    package: {artifact: .package/other.zip}\n",
        "package:",
    ),
    deployed("setting-unknown", "    STAGE: dev\n", "    STAGE: dev\n    PYTHONPATH: /opt\n", "PYTHONPATH"),
    deployed("deployment-path", "path: /public/health", "path: /public/healthz"),
    deployed(
        "deployment-methods", "{method: GET, path: /public", "{method: POST, path: /public", "public_health: > events"
    ),
    deployed("deployment-methods", "      - httpApi: GET /webhook/meta\n", "", "webhook_meta: > events"),
    deployed(
        "deployment-methods", "{method: GET, path: /public", "{method: '*', path: /public", "public_health: > events"
    ),
    deployed("deployment-options", "      - httpApi: {method: OPTIONS, path: /app/thing}\n", "", "app_thing: > events"),
    deployed(
        "deployment-options",
        "      - httpApi: GET /webhook/meta\n",
        "      - httpApi: GET /webhook/meta\n      - httpApi: OPTIONS /webhook/meta\n",
        "webhook_meta: > events",
    ),
    deployed(
        "queue-mismatch", "          arn: !GetAtt ReplyQueue.Arn", "          arn: !GetAtt SendQueue.Arn", "- sqs"
    ),
    deployed(
        "queue-mismatch", "          arn: !GetAtt ReplyQueue.Arn", "          arn: arn:aws:sqs:x:1:reply", "- sqs"
    ),
    deployed("queue-failures", "          functionResponseType: ReportBatchItemFailures\n", "", "- sqs"),
    deployed(
        "schedule-secret", "Bearer {{resolve:ssm:/small/${sls:stage}/CRON_TRIGGER}}", "Bearer hunter2", "- schedule"
    ),
    Bad(
        "internal-caller",
        INTERNAL,
        '"queue_reply"',
        '"queue_other"',
        "GUARD",
        beside=(CALLER,),
    ),
    Bad("internal-caller", INTERNAL, '"queue_reply"', '"internal_read"', "GUARD", beside=(CALLER,)),
    Bad("internal-holds", INTERNAL, "secrets=()", 'secrets=("QUEUE_KEY",)', "GUARD"),
    Bad("internal-holds", INTERNAL, "writes=()", 'writes=("things",)', "GUARD"),
    Bad("internal-holds", INTERNAL, "seconds=2.0", "seconds=2.0, body_limit=1", "GUARD"),
    deployed("internal-role", "    iamRoleStatementsInherit: false\n", "", "  internal_read:"),
    deployed("internal-role", "iamRoleStatementsInherit: false", "iamRoleStatementsInherit: true"),
    deployed("internal-role", "    tracing: PassThrough\n", "", "  internal_read:"),
    deployed("internal-role", "iamRoleStatements: []", 'iamRoleStatements: [{Action: "s3:GetObject"}]'),
    deployed("internal-role", "iamRoleStatements: []", "iamRoleStatements: []\n    vpc: {}", "vpc"),
    deployed(
        "deployment-events",
        "iamRoleStatements: []",
        "iamRoleStatements: []\n    events:\n      - eventBridge: {}",
        "eventBridge",
    ),
    deployed("deployment-hidden", "iamRoleStatements: []", "iamRoleStatements: []\n    url: true", "url"),
    Bad("queue-mismatch", QUEUE, 'queue("reply")', 'queue("send")', 'queue("send")'),
    deployed("schedule-rests", "rate: rate(1 minute)", "enabled: false", "- schedule"),
    deployed("timeout-short", "    timeout: 6\n", "    timeout: 5\n", "queue_reply: > timeout"),
    deployed("timeout-long", "  webhook_meta:\n", "  webhook_meta:\n    timeout: 10\n", "timeout: 10"),
    deployed("timeout-long", "    timeout: 28\n    iamRole", "    timeout: 60\n    iamRole", "timeout: 60"),
    deployed("setting-unknown", "      SUPABASE_URL:", "      COLOUR: red\n      SUPABASE_URL:", "COLOUR"),
    deployed(
        "setting-unknown",
        "      REPLY_QUEUE_URL:",
        "      AWS_LAMBDA_EXEC_WRAPPER: /x\n      REPLY_QUEUE_URL:",
        "WRAPPER",
    ),
    deployed("setting-missing", "      ALLOWED_ORIGINS: ${param:allowedOrigins}\n", "", "app_thing: > environment"),
    deployed("setting-missing", "      SUPABASE_URL: ${param:supabaseUrl}\n", "", "app_thing: > environment"),
    deployed("setting-mismatch", "REPLY_QUEUE_URL: !Ref ReplyQueue", "REPLY_QUEUE_URL: !Ref SendQueue"),
]

TESTED = [
    Bad("row-missing", ROWS, '    "cron_sweep": 4,\n', "", "ROWS"),
    Bad("row-orphan", ROWS, "}", '    "app_gone": 6,\n}', "app_gone"),
    Bad("rows-unreadable", ROWS, "}", "    **OTHERS,\n}", "ROWS"),
    Bad("rows-unreadable", ROWS, "ROWS: dict[str, object] = {", "ROWS = dict() or {", ""),
    Bad("rows-unreadable", ROWS, "", "", ""),
    Bad("matrix-missing", MATRIX, "queue_reply    done  back    done\n", "", ""),
    Bad("matrix-orphan", MATRIX, "queue_reply    done", "app_gone       done\nqueue_reply    done", "app_gone"),
    Bad("not-built-list", NOT_BUILT, "queue_reply\n", "\n", ""),
    Bad("not-built-list", NOT_BUILT, "queue_reply\n", "queue_reply\npublic_health\n", "public_health"),
    Bad(
        "waiver-malformed", WAIVERS, "", "guard-nested functions/app_thing.py someday we will mend it\n", "guard-nested"
    ),
    Bad("waiver-malformed", WAIVERS, "", "guard-nested functions/app_thing.py 2026-12-01 later\n", "guard-nested"),
    Bad(
        "waiver-malformed",
        WAIVERS,
        "",
        "guard-nested functions/app_thing.py 2027-12-01 we will mend it\n",
        "guard-nested",
    ),
    Bad("waiver-malformed", WAIVERS, "", "no-such-rule functions/app_thing.py 2026-12-01 we will mend it\n", "no-such"),
    Bad("waiver-malformed", WAIVERS, "", "no-functions functions 2026-12-01 we will mend it\n", "no-functions"),
    Bad(
        "waiver-unneeded",
        WAIVERS,
        "",
        "# old\nguard-nested functions/app_thing.py 2026-12-01 we will mend it\n",
        "guard-nested",
    ),
]


ALLOWANCES = "scripts/audit_allowances.txt"

SHARED = [
    Bad("module-patched", OTHER, "", "from shared.data import store\n\nstore.keep = print\n", "store.keep"),
    Bad("module-patched", OTHER, "", "def _x(account):\n    account.facts = 1\n", "account.facts"),
    Bad("module-patched", OTHER, "", "from shared.guard.kinds import SCHEMES\n\nSCHEMES['x'] = 1\n", "SCHEMES['x']"),
    Bad("module-patched", OTHER, "", "from shared.guard.kinds import SCHEMES\n\nSCHEMES.clear()\n", "SCHEMES.clear"),
    Bad("module-patched", OTHER, "", "from shared.settings import read\n\nread = str\n", "read = str"),
    Bad("shared-dynamic", OTHER, "", "exec('1')\n", "exec"),
    Bad("shared-dynamic", OTHER, "", "import importlib\n", "import"),
    Bad("shared-dynamic", OTHER, "", "import sys\n\nprint(sys.modules)\n", "print"),
    Bad("shared-dynamic", OTHER, "", "class X(metaclass=type): ...\n", "class X"),
    Bad("shared-dynamic", OTHER, "", "class X:\n    def __init_subclass__(cls): ...\n", "def"),
    Bad("shared-dynamic", OTHER, "", "import json\n\nprint(json)\n", "print"),
    Bad("module-patched", OTHER, "", "from shared.guard.kinds import SCHEMES\n\nX = SCHEMES\nX['x'] = 1\n", "X['x']"),
    Bad("module-patched", OTHER, "", "from shared.guard.kinds import SCHEMES\n\n(X := SCHEMES).clear()\n", "clear"),
    Bad("module-patched", OTHER, "", "from shared.guard.kinds import SCHEMES\n\ndict.clear(SCHEMES)\n", "clear"),
    Bad("module-patched", OTHER, "", "from shared.guard.kinds import SCHEMES\n\nX = SCHEMES.update\n", "update"),
    Bad("syntax-error", OTHER, "", "def (:\n", ""),
    Bad("foreign-file", "shared/assistant/other.so", "", "x\n", ""),
    Bad("test-only", OTHER, "", "from shared.data.store import hold\n", "hold"),
    Bad("test-only", OTHER, "", "from shared.data import store\n\nX = store.hold()\n", "X ="),
    Bad("test-only", OTHER, "", "import shared.data.store\n\nX = shared.data.store.hold()\n", "X ="),
    in_body("logging-changed", "import logging; logging.disable()"),
    in_body("logging-changed", "from logging import disable"),
    in_body("logging-changed", "log.setLevel(0)"),
    in_body("logging-changed", "import logging; logging.getLogger('portero').handlers"),
    Bad("environment-read", OTHER, "", "import os\n\nX = os.environ\n", "X ="),
    Bad("stage-branch", OTHER, "", "from shared.settings import Setting\n\nX = Setting.STAGE\n", "X ="),
    Bad("stage-branch", OTHER, "", "from shared.settings import Setting as S\n\nX = S.STAGE\n", "X ="),
    Bad("stage-branch", OTHER, "", "from shared.settings import Setting\n\nX = list(Setting)\n", "X ="),
    Bad("stage-branch", OTHER, "", "from shared.settings import Setting\n\nX = [x for x in Setting]\n", "X ="),
    Bad("stage-branch", OTHER, "", "def _x(names):\n    return names['STAGE'] == 'prod'\n", "return"),
    Bad("allowance-malformed", ALLOWANCES, "", "shared/x.py | eval\n", "shared"),
    Bad("allowance-unneeded", ALLOWANCES, "", "# old\nshared/x.py | eval | it once was needed\n", "shared"),
    declared("number-bounds", "rate=20", "rate=1000000000"),
    declared("number-bounds", "seconds=5.0", "seconds=0.5"),
    declared("number-bounds", "fresh_totp=300", "fresh_totp=86400"),
    declared("number-bounds", '("member", 5, 60)', '("member", 5000, 60)'),
    Bad("number-bounds", PUBLIC, "rate=60", "rate=1000000000", "rate="),
    declared("secret-unused", '"UPSTASH_REDIS_REST_TOKEN"),', '"UPSTASH_REDIS_REST_TOKEN", "QUEUE_KEY"),'),
    declared("writes-missing", 'writes=("things",)', "writes=()"),
    Bad("writes-unused", WEBHOOK, "writes=()", 'writes=("things",)', "writes="),
    Bad("jwt-rate", APP, "    rate=20,\n", "", "jwt("),
]

STACK = [
    deployed("template-form", "service: small", "service: small\nlayers: {}", "layers"),
    deployed("template-form", "  name: aws", '  name: aws\n  httpApi: {payload: "1.0"}', "payload"),
    deployed("template-form", "  name: aws", '  name: aws\n  httpApi: {payload: "2.0", cors: true}', "cors"),
    deployed("resource-form", "      Type: AWS::SNS::Topic", "      Type: AWS::CloudFormation::Stack", "AlarmTopic:"),
    deployed(
        "resource-form", "SqsManagedSseEnabled: true\n", "SqsManagedSseEnabled: false\n", "SqsManagedSseEnabled: false"
    ),
    deployed("alarm-bounds", "        Threshold: 1\n", "        Threshold: 1000000\n", "Threshold: 1000000"),
    deployed("template-form", "${sls:stage}/CRON_TRIGGER", "${sls:stage}/QUEUE_KEY", "- schedule"),
    deployed("template-form", "rate(1 minute)", "rate(365 days)", "- schedule"),
    deployed("setting-form", "${param:supabaseUrl}", "https://elsewhere.example", "https://elsewhere.example"),
    deployed(
        "setting-form",
        "provider:\n",
        "params:\n  default: {}\n  prod: {aiBaseUrl: https://elsewhere.example}\n\nprovider:\n",
        "prod:",
    ),
    deployed("resource-missing", "FifoQueue: true\n        Sqs", "Sqs", "    ReplyQueue:"),
    deployed(
        "resource-missing", "!GetAtt ReplyDeadLetters.Arn, max", "!GetAtt OtherDeadLetters.Arn, max", "    ReplyQueue:"
    ),
    deployed("resource-missing", "VisibilityTimeout: 36", "VisibilityTimeout: 35", "    ReplyQueue:"),
    deployed(
        "alarm-missing",
        "{Name: QueueName, Value: !GetAtt ReplyQueue",
        "{Name: Queue, Value: !GetAtt ReplyQueue",
        "  Resources:",
    ),
    deployed("alarm-missing", "MetricName: 5xx", "MetricName: 4xx", "  Resources:"),
    deployed("alarm-missing", "Value: !Ref QueueUnderscorereply", "Value: !Ref QueueUnderscoreother", "  Resources:"),
    deployed(
        "role-excess", "Resource: !GetAtt ReplyQueue.Arn}", 'Resource: [!GetAtt ReplyQueue.Arn, "*"]}', "meta: > iam"
    ),
    deployed(
        "role-excess",
        'Action: "lambda:InvokeFunction"',
        'Action: ["lambda:InvokeFunction", "lambda:*"]',
        "queue_reply: > iam",
    ),
    deployed(
        "role-excess",
        "  public_health:\n",
        "  public_health:\n    iamRoleStatements: [{Action: 'lambda:InvokeFunction', Effect: Allow, Resource: '*'}]\n",
        "health: > iam",
    ),
    deployed(
        "role-missing",
        """      - Effect: Allow
        Action: "lambda:InvokeFunction"
        Resource: !GetAtt InternalUnderscorereadLambdaFunction.Arn
""",
        "",
        "queue_reply: > iam",
    ),
    deployed("role-missing", '!Sub "@AI_API_KEY", '.replace("@", PARAMETER), "", "app_thing: > iam"),
    deployed(
        "role-form",
        '{Effect: Allow, Action: "ssm:GetParameters", Resource: !Sub "@QUEUE_KEY"}'.replace("@", PARAMETER),
        '{Effect: Allow, NotAction: x, Action: "ssm:GetParameters", Resource: !Sub "@QUEUE_KEY"}'.replace(
            "@", PARAMETER
        ),
        "queue_reply: > iam",
        beside=(("role-missing", DEPLOYMENT, 47),),
    ),
]


class Empty(Bad):
    """A suite without a single function, on which everything else agrees."""

    def files(self) -> dict[str, str]:
        gone = ("functions/", "tests/")
        return {name: text for name, text in FILES.items() if not name.startswith(gone)} | {
            DEPLOYMENT: "service: small\nprovider: {name: aws}\nfunctions: {}\n"
        }


EXPIRED = "guard-nested functions/public_health.py 2026-11-22 we will mend it\n"


class Expired(Bad):
    """A waiver that ended yesterday."""

    def files(self) -> dict[str, str]:
        broken = FILES[PUBLIC].replace("GUARD = guard(\n", "if True:\n    GUARD = guard(\n")
        return FILES | {PUBLIC: broken, WAIVERS: EXPIRED}


WHOLE = [
    Empty("no-functions", "functions", "", "", ""),
    Expired("waiver-expired", WAIVERS, "", EXPIRED, "", beside=(("guard-nested", PUBLIC, 6),)),
]

BAD_SUITES = [*WHOLE, *FOLDER, *GUARD, *HANDLER, *CODE, *SHARED, *DEPLOYED, *STACK, *TESTED]
