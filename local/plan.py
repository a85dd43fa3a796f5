"""The plan of an offline world: where each part listens and which keys it uses, decided before anything starts.

`make dev` keeps it in `.local/plan.json` (readable by its owner only), so that a second start finds the same
addresses and keys, and `python -m local.send` knows where to knock. Tests make a fresh one in memory.
"""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
STATE = PROJECT / ".local"
SERVICE = "portero"
STAGE = "local"
REGION = "sa-east-1"
ACCOUNT = "123456789012"
FIRST_PORT = 8700
PARTS = ("gateway", "supabase", "upstash", "aws", "meta", "model", "functions", "postgres")


def _random_key(prefix: str = "") -> str:
    return prefix + secrets.token_urlsafe(24)


def _signing_key() -> str:
    # Imported here: of all who read a plan only its maker needs cryptography, which is 20 MB.
    from local.supabase.keys import generate_signing_key

    return generate_signing_key()


@dataclass(frozen=True)
class Keys:
    """Every secret of the world, random per plan: the offline world has no default password."""

    publishable: str = field(default_factory=lambda: _random_key("sb_publishable_"))
    secret: str = field(default_factory=lambda: _random_key("sb_secret_"))
    postgres: str = field(default_factory=_random_key)
    upstash: str = field(default_factory=_random_key)
    meta_app_secret: str = field(default_factory=lambda: secrets.token_hex(16))
    meta_verify_token: str = field(default_factory=_random_key)
    meta_access_token: str = field(default_factory=lambda: "EAAL" + secrets.token_hex(60))
    # The demo shop's own: the one of the platform does not open its number.
    meta_channel_token: str = field(default_factory=lambda: "EAAC" + secrets.token_hex(60))
    mercadopago: str = field(default_factory=_random_key)
    paddle: str = field(default_factory=lambda: _random_key("pdl_ntfset_"))
    model: str = field(default_factory=lambda: _random_key("sk-local-"))
    queue: str = field(default_factory=_random_key)
    cron: str = field(default_factory=_random_key)
    pseudonym: str = field(default_factory=_random_key)
    owner_password: str = field(default_factory=_random_key)
    signing_key_pem: str = field(default_factory=_signing_key, repr=False)


@dataclass(frozen=True)
class Plan:
    """Addresses and keys. `ports` maps each name of PARTS to a TCP port on 127.0.0.1.

    `master_keys` is the file whose keys wrap the data keys of tenants: KMS's place, since moto's would forget them.
    """

    ports: dict[str, int]
    keys: Keys
    master_keys: Path = STATE / "master_keys.json"

    def url(self, part: str) -> str:
        """The base URL of a part, without a trailing slash."""
        return f"http://127.0.0.1:{self.ports[part]}"

    def secret_parameters(self) -> dict[str, str]:
        """The SSM parameters that the functions read: name below the prefix -> value.

        A secret is a JSON list of {"value", "expires"} (RFC 3339 or null), newest first; CRON_TRIGGER is the bare
        value that the schedules carry.
        """
        lists = {
            "META_APP_SECRET": self.keys.meta_app_secret,
            "META_VERIFY_TOKEN": self.keys.meta_verify_token,
            "META_ACCESS_TOKEN": self.keys.meta_access_token,
            "MERCADOPAGO_WEBHOOK_SECRET": self.keys.mercadopago,
            "PADDLE_WEBHOOK_SECRET": self.keys.paddle,
            "SUPABASE_SECRET_KEY": self.keys.secret,
            "UPSTASH_REDIS_REST_TOKEN": self.keys.upstash,
            "AI_API_KEY": self.keys.model,
            "QUEUE_KEY": self.keys.queue,
            "CRON_SECRET": self.keys.cron,
            "PSEUDONYM_KEY": self.keys.pseudonym,
        }
        parameters = {name: json.dumps([{"value": value, "expires": None}]) for name, value in lists.items()}
        parameters["CRON_TRIGGER"] = self.keys.cron
        return parameters


def plan_with_first_port(first_port: int = FIRST_PORT) -> Plan:
    """A fresh plan whose parts listen on consecutive ports from `first_port` on."""
    return Plan(ports={part: first_port + offset for offset, part in enumerate(PARTS)}, keys=Keys())


def load(path: Path) -> Plan | None:
    """The plan kept at `path`, or None when there is none (or it is of an older shape)."""
    try:
        kept = json.loads(path.read_text())
        return Plan(ports={part: int(kept["ports"][part]) for part in PARTS}, keys=Keys(**kept["keys"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def save(plan: Plan, path: Path) -> None:
    """Write the plan so that only its owner can read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps({"ports": plan.ports, "keys": asdict(plan.keys)}, indent=2))


def make_master_keys(path: Path) -> None:
    """A file with one fresh master key, for its owner's eyes only, where there is none yet.

    A list, newest first: who puts another key in front of it rotates (docs/operations.md).
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return
    with open(descriptor, "w") as file:
        json.dump([base64.b64encode(secrets.token_bytes(32)).decode()], file)
