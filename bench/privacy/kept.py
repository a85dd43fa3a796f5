"""Made-up fields that an operator needs at night and that masking must leave alone."""

import uuid

from bench.privacy.values import ALNUM, BASE64, DIGITS, HEX, Maker, some

KEPT: dict[str, Maker] = {
    "uuid": lambda r: str(uuid.UUID(int=r.getrandbits(128), version=4)),
    "sha1": lambda r: some(r, HEX, 40),
    "sha256": lambda r: some(r, HEX, 64),
    "md5": lambda r: some(r, HEX, 32),
    "short": lambda r: some(r, HEX, 7),
    "epoch": lambda r: str(r.randint(1_600_000_000, 1_900_000_000)),
    "epochms": lambda r: str(r.randint(1_600_000_000_000, 1_900_000_000_000)),
    "epochfloat": lambda r: f"{r.randint(1_600_000_000, 1_900_000_000)}.{r.randint(100000, 999999)}",
    "iso": lambda r: (
        f"2026-{r.randint(1, 12):02}-{r.randint(1, 28):02}T{r.randint(0, 23):02}:{r.randint(0, 59):02}:07."
        f"{r.randint(0, 999):03}Z"
    ),
    "date": lambda r: f"2026-{r.randint(1, 12):02}-{r.randint(1, 28):02}",
    "day": lambda r: f"{r.randint(1, 28):02}/{r.randint(1, 12):02}/2026",
    "amount": lambda r: r.choice(
        [
            f"R$ {r.randint(1, 9)}.{some(r, DIGITS, 3)},{some(r, DIGITS, 2)}",
            f"$ {r.randint(1, 99)}.{some(r, DIGITS, 3)}.{some(r, DIGITS, 3)}",
            f"{r.randint(1, 99999)}.{some(r, DIGITS, 2)} USD",
            f"{r.randint(100, 9999999)}",
        ]
    ),
    "float": lambda r: f"0.{some(r, '123456789', 1)}{some(r, DIGITS, 15)}",
    "version": lambda r: r.choice(
        [f"v{r.randint(1, 30)}.0", f"{r.randint(0, 9)}.{r.randint(0, 99)}.{r.randint(0, 200)}", "Chrome/126.0.6478.127"]
    ),
    "order": lambda r: r.choice(["2026", "9", "10"]) + some(r, DIGITS, r.choice([4, 6, 10])),
    "ordercode": lambda r: f"{r.choice(['ORD', 'PED', 'FAC'])}-{some(r, DIGITS, 8)}",
    "metaid": lambda r: "1" + some(r, DIGITS, r.choice([14, 15, 16])),
    "paymentid": lambda r: "1" + some(r, DIGITS, 10),
    "port": lambda r: str(r.randint(1024, 65535)),
    "status": lambda r: str(r.choice([200, 201, 400, 401, 404, 409, 429, 500, 503])),
    "ms": lambda r: str(r.randint(1, 30000)),
    "arn": lambda r: f"arn:aws:sqs:sa-east-1:{some(r, '123456789', 1)}{some(r, DIGITS, 11)}:portero-reply.fifo",
    "queueurl": lambda r: f"https://sqs.sa-east-1.amazonaws.com/{some(r, '123456789', 1)}{some(r, DIGITS, 11)}/send",
    "xray": lambda r: f"1-{some(r, HEX, 8)}-{some(r, HEX, 24)}",
    "traceparent": lambda r: f"00-{some(r, HEX, 32)}-{some(r, HEX, 16)}-01",
    "apigw": lambda r: some(r, ALNUM, 14) + "=",
    "pseudonym": lambda r: (
        r.choice(["contact", "phone", "email"]) + "~1." + some(r, "abcdefghijklmnopqrstuvwxyz234567", 12)
    ),
    "etag": lambda r: '"' + some(r, HEX, 32) + '"',
    "sqlstate": lambda r: r.choice(["23505", "42P01", "40001", "57014", "08006"]),
    "tokens": lambda r: str(r.randint(10, 9999)),
    "path": lambda r: f"/var/task/functions/queue_{r.choice(['reply', 'send'])}.py",
    "blob": lambda r: some(r, BASE64, 32),
}
