"""Evasions by what a function declares: its GUARD, its handler, and the numbers and lists of GUARD."""

from scripts.evasions.evasion import DELETE, HEALTH, RECOVER, REPLY, SEND, WEBHOOK, appended, changed

_READ = 'public(reason="Uptime monitors ask without credentials; the answer holds nothing of anybody.", rate=60)'
_IMPORTED = "from shared.guard import Request, Response, guard, public"

HANDLERS = [
    changed(
        "guard under another name",
        "guard-import",
        HEALTH,
        _IMPORTED,
        f"{_IMPORTED}\nfrom shared.guard import guard as g",
    ),
    changed(
        "a kind under another name",
        "guard-import",
        HEALTH,
        _IMPORTED,
        f"{_IMPORTED}\nfrom shared.guard import jwt as j",
    ),
    changed("the guard layer as a module", "guard-import", HEALTH, _IMPORTED, f"{_IMPORTED}\nfrom shared import guard"),
    appended("a second name for GUARD", "guard-referenced", "OTHER = GUARD", HEALTH),
    appended(
        "GUARD guards a second function",
        "guard-referenced",
        "@GUARD\ndef _other(request: Request) -> None: ...",
        HEALTH,
    ),
    appended("GUARD is declared twice", "guard-repeated", "GUARD = guard(public(reason='a b c', rate=1))", HEALTH),
    appended("GUARD is deleted", "guard-repeated", "del GUARD", HEALTH),
    appended("GUARD is changed in a function", "guard-repeated", "def _x() -> None:\n    global GUARD", HEALTH),
    changed("GUARD under a condition", "guard-nested", HEALTH, "GUARD = guard(\n", "if True:\n  GUARD = guard(\n"),
    changed(
        "GUARD by a conditional expression",
        "guard-computed",
        HEALTH,
        '    secrets=(),\n    writes=(),\n    store_down="refuse",\n)',
        '    secrets=(),\n    writes=(),\n    store_down="refuse",\n) if Setting else None',
    ),
    changed(
        "GUARD is annotated, not assigned plainly", "guard-form", HEALTH, "GUARD = guard(\n", "GUARD: object = guard(\n"
    ),
    changed("GUARD from a computed value", "guard-computed", HEALTH, "rate=60", "rate=int('60')"),
    changed("GUARD from unpacked values", "guard-computed", HEALTH, "seconds=2.0", "**{'seconds': 2.0}"),
    changed("GUARD of no known kind", "kind-unknown", HEALTH, _READ, "Request()"),
    changed(
        "the guard is redefined in the file",
        "guard-shadowed",
        HEALTH,
        "GUARD = guard(\n",
        "def guard(*a: object) -> None: ...\n\n\nGUARD = guard(\n",
    ),
    appended("a second name for handler", "handler-referenced", "main = handler"),
    appended(
        "handler is called in its file", "handler-referenced", "def _x(request: Request) -> None:\n    handler(request)"
    ),
    appended("a second handler", "second-handler", "def main(event: object, context: object) -> None: ..."),
    appended(
        "a second handler of a private name", "second-handler", "def _main(event: object, context: object) -> None: ..."
    ),
    appended(
        "an object that is called", "second-handler", "class Other(BaseModel):\n    def __call__(self) -> None: ..."
    ),
    appended("handler is defined twice", "handler-repeated", "@GUARD\ndef handler(request: Request) -> None: ..."),
    appended(
        "handler is replaced by an import",
        "handler-repeated",
        "from shared.data.user_store import UserStore as handler",
    ),
    changed("handler without its guard", "handler-decorators", SEND, "@GUARD\n", ""),
    changed("a decorator above the guard", "handler-decorators", SEND, "@GUARD\n", "@print\n@GUARD\n"),
    changed("a decorator below the guard", "handler-decorators", SEND, "@GUARD\n", "@GUARD\n@print\n"),
    changed(
        "handler takes Lambda's event",
        "handler-parameters",
        SEND,
        "def handler(request: Request)",
        "def handler(request: Request, context: object)",
    ),
    changed(
        "handler has a default",
        "handler-parameters",
        SEND,
        "def handler(request: Request)",
        "def handler(request: Request = None)",
    ),
    changed("handler is asynchronous", "handler-async", SEND, "def handler(", "async def handler("),
    changed(
        "handler under a condition",
        "handler-nested",
        HEALTH,
        '@GUARD\ndef handler(request: Request) -> Response:\n    """Answer."""\n',
        "if True:\n  @GUARD\n  def handler(request: Request) -> Response:\n",
    ),
]

NUMBERS = [
    changed("a public rate of 10 ** 9", "number-bounds", HEALTH, "rate=60", "rate=1_000_000_000"),
    changed("a public rate of nothing", "public-rate", HEALTH, "rate=60", "rate=0"),
    changed("a public rate that is no number", "public-rate", HEALTH, "rate=60", "rate=True"),
    changed("a public rate left out", "public-rate", HEALTH, ", rate=60", ""),
    changed("a reason of one word", "public-reason", HEALTH, _READ, 'public(reason="monitoring", rate=60)'),
    changed("a reason of the same word", "public-reason", HEALTH, _READ, 'public(reason="so so so so", rate=60)'),
    changed("a reason of dots", "public-reason", HEALTH, _READ, 'public(reason=". . . .", rate=60)'),
    changed("a person's function without a rate", "jwt-rate", SEND, "    rate=30,\n", ""),
    changed("a person's function with a rate of nothing", "jwt-rate", SEND, "    rate=30,\n", "    rate=0,\n"),
    changed("a person's rate of a million", "number-bounds", SEND, "rate=30", "rate=1000 * 1000"),
    changed("a webhook without a rate", "webhook-rate", WEBHOOK, "    rate=6000,\n", ""),
    changed("a webhook's rate of a million", "number-bounds", WEBHOOK, "rate=6000", "rate=1000 * 1000"),
    changed("a webhook's rate that refuses its provider", "number-bounds", WEBHOOK, "rate=6000", "rate=1"),
    changed(
        "a second factor that stays fresh for a week",
        "number-bounds",
        DELETE,
        "fresh_totp=300",
        "fresh_totp=7 * 24 * 3600",
    ),
    changed("a second factor that is always fresh", "number-bounds", DELETE, "fresh_totp=300", "fresh_totp=True"),
    changed("a fresh code without the second factor", "guard-argument", DELETE, "aal2=True, ", ""),
    changed("an argument that the kind does not know", "guard-argument", DELETE, "aal2=True", "aal2=True, aal1=True"),
    changed("a body of 40 MB", "body-limit", SEND, "body_limit=16 * 1024", "body_limit=40 * 1024 * 1024"),
    changed("a console body of 4 MB", "number-bounds", SEND, "body_limit=16 * 1024", "body_limit=4 * 1024 * 1024"),
    changed("a body limit below zero", "body-limit", SEND, "body_limit=16 * 1024", "body_limit=-1"),
    changed("a webhook that works for a minute", "number-bounds", WEBHOOK, "seconds=3.0", "seconds=60.0"),
    changed("a person's function that works for an hour", "number-bounds", SEND, "seconds=10.0", "seconds=3600.0"),
    changed("a worker that outlives its claim", "number-bounds", REPLY, "seconds=55.0", "seconds=59.5"),
    changed("no time at all", "guard-argument", SEND, "seconds=10.0", "seconds=0"),
    changed("time without an end", "number-bounds", SEND, "seconds=10.0", "seconds=1e999"),
    changed("a contact's rate of a million", "number-bounds", REPLY, '("contact", 12, 60)', '("contact", 1000000, 60)'),
    changed(
        "a rate that is counted over years", "number-bounds", REPLY, '("contact", 12, 60)', '("contact", 12, 100000000)'
    ),
    changed("a rate of nobody's", "rates-malformed", REPLY, '("contact", 12, 60)', '("planet", 12, 60)'),
    changed("a rate that is a fraction", "rates-malformed", REPLY, '("contact", 12, 60)', '("contact", 12, 0.001)'),
]

LISTS = [
    changed("writes nothing where it writes", "writes-missing", SEND, '"conversations",\n', ""),
    changed("writes nothing at all", "writes-missing", RECOVER, 'writes=("outbox", "messages")', "writes=()"),
    changed("writes without the bucket", "writes-missing", SEND, '        "bucket",\n', ""),
    changed(
        "writes a table too much",
        "writes-unused",
        SEND,
        '"conversations",\n',
        '"conversations",\n        "credentials",\n',
    ),
    changed(
        "writes a table that there is not",
        "writes-unknown",
        SEND,
        '"conversations",\n',
        '"conversations",\n        "things",\n',
    ),
    changed("writes as a text", "writes-unknown", RECOVER, 'writes=("outbox", "messages")', 'writes="outbox"'),
    changed("a secret too much", "secret-unused", SEND, '"QUEUE_KEY")', '"QUEUE_KEY", "PSEUDONYM_KEY")'),
    changed(
        "a secret of the platform too much",
        "secret-unused",
        SEND,
        '"QUEUE_KEY")',
        '"QUEUE_KEY", "SUPABASE_SECRET_KEY")',
    ),
    changed(
        "a secret too few",
        "secret-missing",
        SEND,
        '("UPSTASH_REDIS_REST_TOKEN", "QUEUE_KEY")',
        '("UPSTASH_REDIS_REST_TOKEN",)',
    ),
    changed("the guard's own secret is left out", "secret-missing", WEBHOOK, '"META_APP_SECRET", ', ""),
    changed("the handshake's secret is left out", "secret-missing", WEBHOOK, '"META_VERIFY_TOKEN", ', ""),
    changed("a secret that there is not", "secret-unknown", SEND, '"QUEUE_KEY")', '"QUEUE_KEY", "MASTER_KEY")'),
    changed("secrets as a text", "guard-argument", HEALTH, "secrets=()", 'secrets="none"'),
    changed(
        "a secret read in the code only",
        "secret-undeclared",
        SEND,
        "    written = request.body(Written)\n",
        "    written = request.body(Written)\n    print(Secret.AI_API_KEY)\n",
    ),
    changed("consumes nothing where it spends", "consumption-undeclared", SEND, '    consumes=("file",),\n', ""),
    changed("consumes too little", "consumption-undeclared", REPLY, 'consumes=("ai", "embedding")', 'consumes=("ai",)'),
    changed("consumes too much", "consumption-unused", SEND, 'consumes=("file",)', 'consumes=("file", "ai")'),
    changed("consumes what there is not", "consumes-unknown", SEND, 'consumes=("file",)', 'consumes=("gold",)'),
    changed("opens when Redis is down", "store-down", SEND, 'store_down="refuse"', 'store_down="allow"'),
    changed("a method that is not routed", "deployment-methods", SEND, 'methods=("POST",)', 'methods=("POST", "GET")'),
    changed("a method that there is not", "guard-methods", SEND, 'methods=("POST",)', 'methods=("*",)'),
    changed(
        "HTTP methods for a queue", "guard-methods", REPLY, "seconds=55.0,", 'seconds=55.0,\n    methods=("POST",),'
    ),
    changed("another kind than the file's name says", "kind-prefix", HEALTH, _READ, "cron()"),
    changed(
        "a person's function that is public",
        "kind-prefix",
        SEND,
        "    jwt(),\n",
        '    public(reason="It is easy for them.", rate=60),\n',
    ),
    changed("another queue than the file's name says", "queue-mismatch", REPLY, 'queue("reply")', 'queue("send")'),
    changed("another provider's signature", "scheme-provider", WEBHOOK, 'hmac("meta")', 'hmac("paddle")'),
    changed("a signature that there is not", "scheme-unknown", WEBHOOK, 'hmac("meta")', 'hmac("none")'),
    changed("tokens of the old shared secret", "secret-missing", DELETE, "aal2=True", "aal2=True, legacy=True"),
    changed(
        "a function without its docstring",
        "docstring-missing",
        HEALTH,
        '"""Anybody may ask whether the service answers.\n\nNothing is read or written. The answer says that this function ran, and in which stage.\n"""\n',
        "",
    ),
]
