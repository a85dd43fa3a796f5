"""The ground of the attacks over HTTP: two businesses with rows everywhere, requests, and what came of them.

A request is written with the victim's values. The same request with values that nothing has tells what an answer may
say: if the two answers differ in more than those values, somebody learns what exists. Whatever is done, the victim's
rows are read by a superuser afterwards, and everything is put back as it was.
"""

import json
import re
import statistics
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import psycopg
import urllib3
from psycopg import sql

from local.supabase.keys import SupabaseKeys
from local.world import World
from tests.isolation.inventory import Inventory, Relation, take_inventory
from tests.isolation.seed import seed
from tests.isolation.sides import ABSENT, ATTACKER, VICTIM, Side

Rows = dict[str, list[str]]
Pairs = tuple[tuple[str, str], ...]

# A whole value of a party: an id, a text, a number, a digest.
VALUE = re.compile(r"([a-f])\1{7}-0000-4000-8000-\d{12}|canary-[a-f][^\"'\\()]*|77\d{9,10}|([a-f])\2{63}")
# By its ids a row is told to be the victim's, or to point at it. A text that somebody typed proves nothing.
VICTIM_ID = re.compile(rf"{VICTIM.letter}{{8}}-0000-4000")
# What an answer of the same meaning may still differ in: ids and times that were made for it, and the time and
# signature of a presigned address.
MADE = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)"
    r'|(?i:x-amz-(?:date|credential|signature))(?:=[^&"]+|": ?"[^"]*")|"policy": ?"[^"]*"'
)
# What no tenant has: deliveries of providers before anybody knows whose they are. No person ever sees them, but for
# tables that say that they are about nobody (the plans).
NOBODYS = re.compile(r"f{8}-0000-4000|canary-none[^\"'\\]*")
# Headers that are of the request, not of the answer's meaning.
OF_THE_REQUEST = {"apigw-requestid", "content-length", "date", "ratelimit"}


class Sent(NamedTuple):
    """One request, written with the victim's values or with another party's."""

    method: str
    path: str
    query: Pairs = ()
    headers: Pairs = ()
    body: Any = None

    def as_if(self, side: Side) -> "Sent":
        """The same with the values of another party in place of the victim's."""
        method, path, query, headers, body = as_if([*self], side)
        return Sent(method, path, tuple(map(tuple, query)), tuple(map(tuple, headers)), body)

    @property
    def text(self) -> str:
        return json.dumps([*self], default=str)


class Answer(NamedTuple):
    """What came back: the status, every byte of headers and body as a text, and the same without made values."""

    status: int
    text: str
    meaning: tuple[Any, ...]
    seconds: float


def as_if(value: Any, side: Side) -> Any:
    """A JSON value with the values of another party in place of the victim's."""
    text = json.dumps(value, default=str)
    for was, becomes in (
        (VICTIM.letter * 8, side.letter * 8),
        (f"canary-{VICTIM.letter}", f"canary-{side.letter}"),
        (f"77{ord(VICTIM.letter)}", f"77{ord(side.letter)}"),
    ):
        text = text.replace(was, becomes)
    return json.loads(text)


@dataclass(frozen=True)
class Actor:
    """Somebody with a key of the project and, mostly, a good token."""

    name: str
    headers: dict[str, str]


@dataclass
class Ground:
    """A world with both parties in it. `findings` is what must be empty in the end."""

    world: World
    connection: psycopg.Connection
    inventory: Inventory
    findings: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    seeded: Rows = field(default_factory=dict)
    everybodys: set[str] = field(default_factory=set)
    # Ten thousand requests: httpx takes 1 ms of each for itself.
    client: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))
    transaction: int = 0

    def token(self, user: uuid.UUID, **claims: Any) -> str:
        """An access token as Supabase Auth makes it, fresh from both factors, of a session that is there."""
        now = int(time.time())
        methods = [{"method": name, "timestamp": now} for name in ("totp", "password")]
        said = {
            "iss": f"{self.world.plan.url('supabase')}/auth/v1",
            "sub": str(user),
            "aud": "authenticated",
            "exp": now + 3600,
            "iat": now,
            "role": "authenticated",
            "aal": "aal2",
            "amr": methods,
            "session_id": str(session_of(user)),
            "is_anonymous": False,
            "app_metadata": {},
            "user_metadata": {},
        }
        keys = self.world.plan.keys
        return SupabaseKeys(keys.publishable, keys.secret, keys.signing_key_pem).sign(said | claims)

    def find(self, actor: Actor, place: str, what: str) -> None:
        """Write down something that must not be."""
        self.findings.append(f"{actor.name}, {place}: {what}")

    def ask(self, actor: Actor, base: str, sent: Sent) -> Answer:
        """Send it to the part of the world at `base`, and look for the victim's values in what comes back."""
        self.counts[base] += 1
        headers = {"content-type": "application/json"} | actor.headers | dict(sent.headers)
        content = None if sent.body is None else json.dumps(sent.body, default=str).encode()
        began = time.perf_counter()
        query = f"?{urlencode(sent.query)}" if sent.query else ""
        url = f"{self.world.plan.url(base)}{quote(sent.path)}{query}"
        response = self.client.request(sent.method, url, headers=headers, body=content)
        seconds = time.perf_counter() - began
        body = response.data.decode()
        shown = sorted((k.lower(), v) for k, v in response.headers.items() if k.lower() not in OF_THE_REQUEST)
        text = f"{response.status} {shown} {body}"
        return Answer(response.status, text, _meaning(response.status, shown, body), seconds)

    def attack(self, actor: Actor, base: str, place: str, sent: Sent) -> tuple[Answer, Answer]:
        """Send the request, and the same with values that nothing has: two answers that must mean the same."""
        foreign, absent = (self.look(actor, base, place, sent.as_if(side)) for side in (VICTIM, ABSENT))
        self.seconds.setdefault(base, []).append((foreign.seconds, absent.seconds))
        if foreign.meaning != absent.meaning:
            self.find(actor, place, f"tells what exists:\n    foreign {foreign.text}\n    absent  {absent.text}")
        return foreign, absent

    def look(self, actor: Actor, base: str, place: str, sent: Sent) -> Answer:
        """Send one request, and look whether it shows or changes what is the victim's."""
        answer = self.ask(actor, base, sent)
        shown = answer.text
        # What the request itself says may be said again; how that differs from an absent value is looked at elsewhere.
        for said in {found[0] for found in VALUE.finditer(sent.text)}:
            shown = shown.replace(said, "")
        if VICTIM.is_in(shown):
            self.find(actor, place, f"shows what is the victim's: {answer.text[:400]}")
        if {found[0] for found in NOBODYS.finditer(shown)} - self.everybodys:
            self.find(actor, place, f"shows what is nobody's: {answer.text[:400]}")
        if base == "supabase" and answer.status == 401 and "42501" not in answer.text:
            self.find(actor, place, f"its key or token is not good, so nothing is proved: {answer.text[:400]}")
        if sent.method not in ("GET", "HEAD") and self.put_back(actor, place) and answer.status >= 400:
            self.find(actor, place, f"was refused and wrote all the same: {answer.text[:400]}")
        # Of the Data API a 500 is PostgREST's word for a view that cannot be written to.
        if answer.status >= 500 and answer.status != 501 and base == "gateway":
            self.find(actor, place, f"fails: {answer.text[:400]}")
        return answer

    def rows(self) -> Rows:
        """Every row of every table, as the superuser reads them."""
        return {
            name: sorted(rows or [])
            for name, rows in self.connection.execute(
                " union all ".join(
                    f"select '{table.name}', (select array_agg(to_jsonb(t)::text) from public.{table.name} t)"
                    for table in self.tables
                )
            )
        }

    @property
    def tables(self) -> list[Relation]:
        return [table for table in self.inventory.tables if table.schema == "public"]

    @property
    def relations(self) -> list[Relation]:
        """What the Data API shows."""
        return [relation for relation in self.inventory.relations if relation.schema == "public"]

    def put_back(self, actor: Actor | None = None, place: str = "") -> bool:
        """Make every table what it was when it was seeded; whether anything had changed.

        A finding, if somebody did it: a change of the victim's rows, of nobody's, or a row that points at the victim's.
        """
        if self._last_transaction() == self.transaction:
            return False
        now = self.rows()
        changed = [table for table in self.tables if now[table.name] != self.seeded[table.name]]
        for table in changed:
            difference = {*now[table.name]} ^ {*self.seeded[table.name]}
            forbidden = [row for row in difference if table.tenant is None or VICTIM_ID.search(row)]
            if actor is not None and forbidden:
                self.find(actor, place, f"changed rows in {table.name} that name the victim: {forbidden[0][:400]}")
            self._refill(table)
        self.transaction = self._last_transaction()
        return bool(changed)

    def _last_transaction(self) -> int:
        """Return the next transaction id of the server. Only a transaction that writes takes one."""
        row = self.connection.execute("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint").fetchone()
        assert row is not None
        return int(row[0])

    def _refill(self, table: Relation) -> None:
        # Without triggers and references: a superuser puts back exactly what was there.
        with self.connection.transaction():
            self.connection.execute("set local session_replication_role = replica")
            name, columns = sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, table.columns))
            self.connection.execute(sql.SQL("delete from public.{}").format(name))
            rows = "insert into public.{0} ({1}) select {1} from jsonb_populate_recordset(null::public.{0}, %s)"
            self.connection.execute(sql.SQL(rows).format(name, columns), [f"[{','.join(self.seeded[table.name])}]"])

    def medians(self) -> str:
        """How long foreign and absent values took, for people to look at; nothing depends on it."""
        lines = []
        for base, pairs in sorted(self.seconds.items()):
            foreign, absent = (1000 * statistics.median(side) for side in zip(*pairs, strict=True))
            lines.append(f"{base}: foreign {foreign:.2f} ms, absent {absent:.2f} ms (medians of {len(pairs)} pairs)")
        return "\n".join(lines)


def session_of(user: uuid.UUID) -> uuid.UUID:
    """The id of the session that a person of the tests has."""
    return uuid.uuid5(uuid.NAMESPACE_URL, str(user))


def _count_in_redis(world: World) -> None:
    """The epochs of the seeded rows, open and counting: the database is put back after each attack, Redis is not."""
    for side in (VICTIM, ATTACKER):
        world.redis("HSET", f"portero:t:{side.tenant}", "m", "3 1000 0 0 0 0 0 0")
    for provider in ("model", "meta"):
        world.redis("HSET", f"portero:p:{provider}", "m", "1 0 0 0 0 0 0 0")


@contextmanager
def seeded_ground(world: World) -> Iterator[Ground]:
    """Both parties in the database of the current test, each person with a session."""
    with psycopg.connect(world.dsn("supabase_admin"), autocommit=True) as connection:
        seed(connection)
        connection.execute("update public.tenant_budgets set place = 'redis', stopped = '{}', limits = '{}'")
        _count_in_redis(world)
        for side in (VICTIM, ATTACKER):
            for user in (side.owner, side.agent, side.guarded):
                connection.execute(
                    "insert into auth.sessions (id, user_id, created_at, updated_at, aal)"
                    " values (%s, %s, now(), now(), 'aal2')",
                    [session_of(user), user],
                )
        # What Supabase Auth fills in when a person signs up.
        connection.execute(
            "update auth.users set role = 'authenticated', aud = 'authenticated', raw_app_meta_data = '{}',"
            " raw_user_meta_data = '{}', created_at = now(), updated_at = now() where created_at is null"
        )
        ground = Ground(world, connection, take_inventory(connection))
        ground.seeded = ground.rows()
        for table in ground.tables:
            if table.tenant is None and table.story.get("personal") == "no":
                rows = " ".join(ground.seeded[table.name])
                ground.everybodys |= {found[0] for found in NOBODYS.finditer(rows)}
        yield ground


def _meaning(status: int, headers: list[tuple[str, str]], body: str) -> tuple[Any, ...]:
    shown = f"{headers} {body}"
    return status, MADE.sub("<made>", VALUE.sub("<value>", shown))
