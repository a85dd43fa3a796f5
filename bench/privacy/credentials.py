"""Made-up secrets of every shape in the table of reference/pii.md, section 4, and those a key name tells."""

import base64
import json
from random import Random

from bench.privacy.values import ALNUM, BASE64, DIGITS, HEX, UPPER_ALNUM, URL_SAFE, Maker, some

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def _segment(rng: Random, **fields: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode().rstrip("=")


def jwt(rng: Random) -> str:
    head = _segment(rng, alg=rng.choice(["HS256", "ES256"]), typ="JWT")
    role = rng.choice(["anon", "service_role", "authenticated"])
    body = _segment(rng, iss="supabase", role=role, exp=rng.randint(1_800_000_000, 1_900_000_000))
    return f"{head}.{body}.{some(rng, URL_SAFE, 43)}"


def qstash(rng: Random) -> str:
    return base64.b64encode(
        json.dumps({"UserID": some(rng, HEX, 32), "Password": some(rng, HEX, 32)}).encode()
    ).decode()


def mercado_pago(rng: Random) -> str:
    start = f"{rng.choice(['APP_USR', 'TEST'])}-{some(rng, DIGITS, 16)}-{some(rng, DIGITS, 6)}-{some(rng, HEX, 32)}"
    return start + rng.choice(["", "__LA_LD__"]) + "-" + some(rng, DIGITS, 9)


def pem(rng: Random) -> str:
    end = rng.choice(["\\n", "\n"])
    lines = end.join(some(rng, BASE64, 64) for _ in range(3))
    kind = rng.choice(["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY"])
    tail = rng.choice(["", f"{end}-----END {kind}-----"])
    return f"-----BEGIN {kind}-----{end}{lines}{tail}"


SHAPED: dict[str, Maker] = {
    "supabase secret": lambda r: f"sb_secret_{some(r, URL_SAFE, 22)}_{some(r, ALNUM, 8)}",
    "supabase pat": lambda r: "sbp_" + some(r, HEX, 40),
    "jwt": jwt,
    "meta token": lambda r: "EAA" + some(r, ALNUM[:52], 1) + some(r, ALNUM, r.randint(100, 250)),
    "meta app token": lambda r: some(r, "123456789", 1) + some(r, DIGITS, 15) + "|" + some(r, URL_SAFE, 27),
    "mercado pago": mercado_pago,
    "paddle key": lambda r: (
        f"pdl_{r.choice(['live', 'sdbx'])}_apikey_{some(r, CROCKFORD, 26)}_{some(r, ALNUM, 22)}_{some(r, ALNUM, 3)}"
    ),
    "paddle webhook": lambda r: f"pdl_ntfset_{some(r, CROCKFORD, 26)}_{some(r, BASE64, 32)}",
    "upstash url": lambda r: f"rediss://default:{some(r, ALNUM, 36)}@eu1-x-{some(r, DIGITS, 5)}.upstash.io:6379",
    "qstash": qstash,
    "qstash sig": lambda r: "sig_" + some(r, ALNUM, 28),
    "sentry dsn": lambda r: (
        f"https://{some(r, HEX, 32)}@o{some(r, DIGITS, 6)}.ingest.us.sentry.io/{some(r, DIGITS, 7)}"
    ),
    "sentry token": lambda r: r.choice(["sntryu_" + some(r, HEX, 64), "sntrys_eyJ" + some(r, ALNUM, 120)]),
    "aws key id": lambda r: r.choice(["AKIA", "ASIA", "ABIA", "ACCA"]) + some(r, BASE32, 16),
    "aws session": lambda r: "IQoJb3JpZ2luX2Vj" + some(r, BASE64, 200) + "==",
    "openai": lambda r: r.choice(
        [
            f"sk-{some(r, ALNUM, 20)}T3BlbkFJ{some(r, ALNUM, 20)}",
            f"sk-proj-{some(r, URL_SAFE, 58)}T3BlbkFJ{some(r, URL_SAFE, 58)}",
        ]
    ),
    "anthropic": lambda r: f"sk-ant-{r.choice(['api03', 'admin01'])}-{some(r, URL_SAFE, 93)}AA",
    "stripe": lambda r: f"{r.choice(['sk', 'rk'])}_{r.choice(['live', 'test'])}_{some(r, ALNUM, r.randint(24, 99))}",
    "whsec": lambda r: "whsec_" + some(r, BASE64, 32),
    "google": lambda r: r.choice(
        ["AIza" + some(r, URL_SAFE, 35), "GOCSPX-" + some(r, URL_SAFE, 28), "ya29." + some(r, URL_SAFE, 60)]
    ),
    "github": lambda r: r.choice(
        [f"gh{r.choice('pousr')}_{some(r, ALNUM, 36)}", f"github_pat_{some(r, ALNUM, 22)}_{some(r, ALNUM, 59)}"]
    ),
    "slack": lambda r: r.choice(
        [
            f"xoxb-{some(r, DIGITS, 12)}-{some(r, DIGITS, 12)}-{some(r, ALNUM, 24)}",
            f"https://hooks.slack.com/services/T{some(r, UPPER_ALNUM, 8)}/B{some(r, UPPER_ALNUM, 8)}/"
            + some(r, ALNUM, 24),
        ]
    ),
    "twilio": lambda r: "SK" + some(r, HEX, 32),
    "sendgrid": lambda r: f"SG.{some(r, URL_SAFE, 22)}.{some(r, URL_SAFE, 43)}",
    "resend": lambda r: f"re_{some(r, ALNUM, 8)}_{some(r, ALNUM, 24)}",
    "telegram": lambda r: f"https://api.telegram.org/bot{some(r, DIGITS, 10)}:AA{some(r, URL_SAFE, 33)}/sendMessage",
    "pem": pem,
    "url password": lambda r: f"postgresql://portero:{some(r, ALNUM, 18)}@db.internal:5432/postgres",
    "bearer": lambda r: "Bearer " + some(r, URL_SAFE, r.randint(20, 60)),
    "basic": lambda r: "Basic " + base64.b64encode(f"user:{some(r, ALNUM, 12)}".encode()).decode(),
}

# Secrets that nothing but their key tells: the key, and what its value looks like.
KEYED: dict[str, Maker] = {
    "password": lambda r: r.choice(["hunter", "perrito", "S3cr3t!"]) + some(r, ALNUM, 6),
    "senha": lambda r: "flor" + some(r, ALNUM, 7),
    "contraseña": lambda r: "flor" + some(r, ALNUM, 7),
    "hub.verify_token": lambda r: "portero-" + some(r, ALNUM, r.randint(6, 16)),
    "access_token": lambda r: some(r, ALNUM, 40),
    "refresh_token": lambda r: some(r, URL_SAFE, 24),
    "client_secret": lambda r: some(r, ALNUM, 32),
    "app_secret": lambda r: some(r, HEX, 32),
    "webhook_secret": lambda r: some(r, HEX, 64),
    "apikey": lambda r: some(r, ALNUM, 50).lower(),
    "x-api-key": lambda r: some(r, ALNUM, 40),
    "api_key": lambda r: some(r, ALNUM, 32),
    "aws_secret_access_key": lambda r: some(r, BASE64, 40),
    "UPSTASH_REDIS_REST_TOKEN": lambda r: "A" + some(r, BASE64, 55) + "==",
    "auth_token": lambda r: some(r, HEX, 32),
    "X-Hub-Signature-256": lambda r: "sha256=" + some(r, HEX, 64),
    "X-Amz-Signature": lambda r: some(r, HEX, 64),
    "X-Amz-Security-Token": lambda r: some(r, BASE64, 120),
    "private_key": lambda r: some(r, BASE64, 60),
}
# Headers whose values hold blanks, so that only headers, objects and JSON carry them.
HEADERS: dict[str, Maker] = {
    "Authorization": lambda r: r.choice(["Bearer ", "Token ", ""]) + some(r, ALNUM, 40),
    "Cookie": lambda r: f"session={some(r, ALNUM, 24)}; theme=dark",
    "Set-Cookie": lambda r: f"sid={some(r, ALNUM, 24)}; Path=/; HttpOnly",
    "x-signature": lambda r: f"ts={some(r, DIGITS, 10)},v1={some(r, HEX, 64)}",
    "Paddle-Signature": lambda r: f"ts={some(r, DIGITS, 10)};h1={some(r, HEX, 64)}",
}
