"""Credentials in the real database: opened in their place only, readable all through a rotation, shown nowhere."""

import base64
import json
import logging
import traceback
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.payloads import DEMO_NUMBER_ID
from local.seed import open_account
from local.world import World
from shared import clock
from shared.clock import Deadline
from shared.cloud import key_management
from shared.data import credentials, store
from shared.data.encryption import Sensitive
from shared.data.store import SealedCredential
from shared.errors import Problem, Unavailable

TOKEN = "EAACown-token-of-this-number-0123456789"
NEWER = "EAACthe-owner-has-just-changed-it"
UNREADABLE = {"credential_unreadable", "wrapped_key_unreadable"}


@pytest.fixture
def server(world: World) -> Iterator[World]:
    with world.as_server():
        yield world


def deadline() -> Deadline:
    return Deadline(20)


def connect(tenant: str, number: str = "") -> str:
    number = number or str(uuid.uuid4().int)[:15]
    return store.connect_channel(tenant, "whatsapp", number, "1", "+54 11 5555-0000", deadline())


def keep(tenant: str, channel: str, token: str = TOKEN) -> None:
    credentials.keep(tenant, channel, "access_token", Sensitive(token), deadline())


def sealed(world: World, tenant: str, channel: str) -> SealedCredential:
    """As claim_outbox gives it."""
    [row] = world.rows(
        "select r.channel_id::text as channel, r.ciphertext, r.key_version, k.wrapped_key from credentials r "
        "join tenant_keys k on k.tenant_id = r.tenant_id and k.version = r.key_version "
        "where r.tenant_id = %s and r.channel_id = %s",
        tenant,
        channel,
    )
    return SealedCredential(**row)


def opened(world: World, tenant: str, channel: str) -> str:
    return credentials.open_sealed(tenant, "access_token", sealed(world, tenant, channel), deadline()).reveal()


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(Problem) as caught:
        act()
    return caught.value.name


def versions(world: World, tenant: str) -> list[int]:
    rows = world.rows("select version from tenant_keys where tenant_id = %s order by version", tenant)
    return [row["version"] for row in rows]


def demo_channel(world: World) -> str:
    [row] = world.rows("select id::text from channels where external_id = %s", DEMO_NUMBER_ID)
    return str(row["id"])


class Interruption(BaseException):
    """The process ends here."""


def before(monkeypatch: pytest.MonkeyPatch, act: Callable[[str, int], None]) -> None:
    """Call `act(function, how many calls there were)` before each call of the database; it may call, too."""
    real = credentials.call
    count = 0
    inside = False

    def called(function: str, arguments: dict[str, Any], deadline: Deadline) -> Any:
        nonlocal count, inside
        if not inside:
            count += 1
            inside = True
            try:
                act(function, count)
            finally:
                inside = False
        return real(function, arguments, deadline)

    monkeypatch.setattr(credentials, "call", called)


def test_a_credential_is_kept_encrypted_and_opens(server):
    tenant = server.owner.tenant
    channel = connect(tenant)
    keep(tenant, channel)
    assert opened(server, tenant, channel) == TOKEN
    keep(tenant, channel, NEWER)
    assert opened(server, tenant, channel) == NEWER
    assert opened(server, tenant, demo_channel(server)) == server.plan.keys.meta_channel_token
    assert versions(server, tenant) == [1]


def test_an_id_in_another_spelling_is_the_same_id(server):
    tenant = server.owner.tenant
    channel = connect(tenant)
    keep(tenant.upper(), channel.upper())
    assert opened(server, tenant, channel) == TOKEN
    credentials.rotate(tenant.upper(), deadline())
    credentials.rewrap(tenant.upper(), deadline())
    credentials.forget()
    assert opened(server, tenant, channel) == TOKEN


@pytest.mark.parametrize("text", ["", " ", "two words", "a\nb", "a\x00b", "contraseña", "x" * 4001])
def test_what_no_header_can_carry_is_not_kept(server, text):
    tenant = server.owner.tenant
    channel = connect(tenant)
    assert refusal(lambda: keep(tenant, channel, text)) == "credential_malformed"
    assert server.rows("select from credentials where channel_id = %s", channel) == []
    keep(tenant, channel, "x" * 4000)
    assert opened(server, tenant, channel) == "x" * 4000


def test_a_channel_of_somebody_else_gets_no_credential(server):
    stranger = open_account(server.plan, "otro@negocio.example", "Otro negocio")
    assert refusal(lambda: keep(stranger.tenant, demo_channel(server))) == "row_not_found"
    keep(stranger.tenant, connect(stranger.tenant))


def test_a_ciphertext_moved_to_another_channel_does_not_open(server):
    tenant = server.owner.tenant
    one, other = connect(tenant), connect(tenant)
    keep(tenant, one)
    keep(tenant, other, NEWER)
    # As they stand in the rows: both, exchanged.
    exchange = (
        "update credentials r set ciphertext = o.ciphertext from credentials o where r.tenant_id = %s and "
        "o.tenant_id = r.tenant_id and r.channel_id <> o.channel_id and r.channel_id in (%s, %s) "
        "and o.channel_id in (%s, %s)"
    )
    server.rows(exchange, tenant, one, other, one, other)
    assert refusal(lambda: opened(server, tenant, one)) == "credential_unreadable"
    assert refusal(lambda: opened(server, tenant, other)) == "credential_unreadable"
    server.rows(exchange, tenant, one, other, one, other)
    assert (opened(server, tenant, one), opened(server, tenant, other)) == (TOKEN, NEWER)


def test_a_credential_copied_to_another_tenant_does_not_open_there(server):
    tenant = server.owner.tenant
    channel = connect(tenant)
    keep(tenant, channel)
    stranger = open_account(server.plan, "otro@negocio.example", "Otro negocio").tenant
    theirs = connect(stranger)
    ours = sealed(server, tenant, channel)
    assert opened(server, tenant, channel) == TOKEN  # and the key is in this process's cache
    stolen = ours.model_copy(update={"channel": theirs})
    for copied in (ours, stolen):
        for forget in (False, True):
            if forget:
                credentials.forget()
            names = refusal(lambda copied=copied: credentials.open_sealed(stranger, "access_token", copied, deadline()))
            assert names == "wrapped_key_unreadable"
    # With a key of their own, which opens, and our ciphertext.
    keep(stranger, theirs)
    mixed = sealed(server, stranger, theirs).model_copy(update={"ciphertext": ours.ciphertext})
    assert refusal(lambda: credentials.open_sealed(stranger, "access_token", mixed, deadline())) in UNREADABLE
    assert opened(server, stranger, theirs) == opened(server, tenant, channel) == TOKEN


def test_another_version_name_or_bit_does_not_open(server):
    tenant = server.owner.tenant
    channel = connect(tenant)
    keep(tenant, channel)
    good = sealed(server, tenant, channel)
    text = good.ciphertext
    spoiled = [{"key_version": 2}, *({"ciphertext": text[:i] + "A" + text[i + 1 :]} for i in range(len(text)))]
    for change in spoiled:
        if change == {"ciphertext": text}:
            continue
        bad = good.model_copy(update=change)
        assert refusal(lambda bad=bad: credentials.open_sealed(tenant, "access_token", bad, deadline())) in UNREADABLE
    assert refusal(lambda: credentials.open_sealed(tenant, "refresh_token", good, deadline())) in UNREADABLE
    assert opened(server, tenant, channel) == TOKEN


def test_the_first_credential_of_two_at_once_makes_one_key(server, monkeypatch):
    tenant = open_account(server.plan, "otro@negocio.example", "Otro negocio").tenant
    one, other = connect(tenant), connect(tenant)
    before(monkeypatch, lambda function, count: keep(tenant, other, NEWER) if function == "keep_tenant_key" else None)
    keep(tenant, one)
    assert versions(server, tenant) == [1]
    assert (opened(server, tenant, one), opened(server, tenant, other)) == (TOKEN, NEWER)


def test_unwrapping_is_paid_once_in_five_minutes(server, monkeypatch):
    tenant, channel = server.owner.tenant, demo_channel(server)
    real, calls = key_management.unwrap, []
    monkeypatch.setattr(key_management, "unwrap", lambda *given: calls.append(given) or real(*given))
    credentials.forget()
    now = clock.now()
    with clock.held_at(now):
        for _ in range(3):
            opened(server, tenant, channel)
    with clock.held_at(now + credentials.CACHE_SECONDS - 1):
        opened(server, tenant, channel)
    assert len(calls) == 1
    with clock.held_at(now + credentials.CACHE_SECONDS):
        opened(server, tenant, channel)
    assert len(calls) == 2


def test_the_cache_holds_so_many_keys_and_drops_the_stale_ones_first(server, monkeypatch):
    monkeypatch.setattr(key_management, "unwrap", lambda *given: bytes(32))
    credentials.forget()
    now = clock.now()
    for number in range(credentials.CACHED_KEYS + 50):
        with clock.held_at(now):
            credentials._unwrapped("t", str(number), deadline())
    assert len(credentials._cache) == credentials.CACHED_KEYS
    assert ("t", "0") not in credentials._cache
    with clock.held_at(now + credentials.CACHE_SECONDS):
        credentials._unwrapped("t", "one more", deadline())
    assert list(credentials._cache) == [("t", "one more")]
    credentials.forget()


def test_a_rotation_leaves_every_credential_readable_at_each_step(server, monkeypatch):
    tenant = server.owner.tenant
    tokens = {connect(tenant): f"EAAC{number}" for number in range(3)} | {
        demo_channel(server): server.plan.keys.meta_channel_token
    }
    for channel, token in tokens.items():
        keep(tenant, channel, token)
    seen = []

    def look(function: str, count: int) -> None:
        seen.append(function)
        assert {channel: opened(server, tenant, channel) for channel in tokens} == tokens

    before(monkeypatch, look)
    rotated = credentials.rotate(tenant, deadline())
    assert rotated == (2, 4, 1)
    assert seen.count("reencrypt_credential") == 4
    look("after", 0)
    assert versions(server, tenant) == [2]
    assert credentials.rotate(tenant, deadline()) == (3, 4, 1)
    look("after", 0)


def test_a_tenant_without_a_key_needs_no_rotation(server):
    tenant = open_account(server.plan, "otro@negocio.example", "Otro negocio").tenant
    assert credentials.rotate(tenant, deadline()) == (0, 0, 0)
    assert credentials.rewrap(tenant, deadline()) == 0
    assert versions(server, tenant) == []


# Keys, new key, credentials, keys, three of them, credentials, and the drop.
@pytest.mark.parametrize("step", range(1, 10))
def test_a_rotation_that_was_interrupted_is_run_again(server, monkeypatch, step):
    tenant = server.owner.tenant
    channels = [connect(tenant), connect(tenant), demo_channel(server)]
    for channel in channels:
        keep(tenant, channel)

    def interrupt(function: str, count: int) -> None:
        if count == step:
            raise Interruption

    with monkeypatch.context() as patch:
        before(patch, interrupt)
        with pytest.raises(Interruption):
            credentials.rotate(tenant, deadline())
    assert versions(server, tenant) == ([1] if step < 3 else [1, 2])
    credentials.forget()
    assert [opened(server, tenant, channel) for channel in channels] == [TOKEN] * 3
    rotated = credentials.rotate(tenant, deadline())
    assert versions(server, tenant) == [rotated.version]
    credentials.forget()
    assert [opened(server, tenant, channel) for channel in channels] == [TOKEN] * 3


def test_a_credential_that_is_kept_during_a_rotation_wins(server, monkeypatch):
    tenant = server.owner.tenant
    one, other = connect(tenant), demo_channel(server)
    keep(tenant, one)
    keep(tenant, other)
    done = []

    def change(function: str, count: int) -> None:
        if function == "reencrypt_credential" and not done:
            done.append(count)
            # With the old key, as somebody does who read the keys a moment before the rotation began.
            monkeypatch.setattr(credentials, "_keys", lambda *given: real(*given)[1:])
            for channel in (one, other):
                keep(tenant, channel, NEWER)
            monkeypatch.setattr(credentials, "_keys", real)

    real = credentials._keys
    before(monkeypatch, change)
    rotated = credentials.rotate(tenant, deadline())
    assert done
    assert rotated == (2, 2, 1)
    assert [opened(server, tenant, channel) for channel in (one, other)] == [NEWER, NEWER]
    assert versions(server, tenant) == [2]


def test_a_rotation_does_not_wait_for_somebody_who_never_stops(server, monkeypatch):
    tenant, channel = server.owner.tenant, demo_channel(server)
    real = credentials._keys

    def change(function: str, count: int) -> None:
        if function == "reencrypt_credential":
            monkeypatch.setattr(credentials, "_keys", lambda *given: real(*given)[-1:])
            keep(tenant, channel, f"EAAC{count}")
            monkeypatch.setattr(credentials, "_keys", real)

    with monkeypatch.context() as patch:
        before(patch, change)
        assert refusal(lambda: credentials.rotate(tenant, deadline())) == "rotation_overtaken"
    assert opened(server, tenant, channel).startswith("EAAC")
    assert credentials.rotate(tenant, deadline()) == (3, 1, 2)


def test_a_credential_is_kept_although_its_key_is_dropped_at_that_moment(server, monkeypatch):
    tenant, channel = server.owner.tenant, connect(server.owner.tenant)
    done = []

    def rotate(function: str, count: int) -> None:
        if function == "keep_credential" and not done:
            done.append(credentials.rotate(tenant, deadline()))

    before(monkeypatch, rotate)
    keep(tenant, channel)
    assert done == [(2, 1, 1)]
    assert opened(server, tenant, channel) == TOKEN
    assert versions(server, tenant) == [2]


def test_rewrapping_frees_the_old_master_key(server):
    tenant, channel = server.owner.tenant, demo_channel(server)
    credentials.rotate(tenant, deadline())
    file = server.plan.master_keys
    [old] = json.loads(file.read_text())
    new = base64.b64encode(bytes(32)).decode()
    before_it = sealed(server, tenant, channel)
    try:
        file.write_text(json.dumps([new, old]))
        assert credentials.rewrap(tenant, deadline()) == 1
        after_it = sealed(server, tenant, channel)
        assert after_it.ciphertext == before_it.ciphertext
        file.write_text(json.dumps([new]))
        credentials.forget()
        assert opened(server, tenant, channel) == server.plan.keys.meta_channel_token
        stale = refusal(lambda: credentials.open_sealed(tenant, "access_token", before_it, deadline()))
        assert stale == "master_key_unknown"
    finally:
        file.write_text(json.dumps([old]))


def test_a_rewrapping_that_somebody_overtook_changes_nothing(server, monkeypatch):
    tenant, channel = server.owner.tenant, demo_channel(server)
    done = []

    def overtake(function: str, count: int) -> None:
        if function == "rewrap_tenant_key" and not done:
            done.append(credentials.rewrap(tenant, deadline()))

    before(monkeypatch, overtake)
    assert credentials.rewrap(tenant, deadline()) == 0
    assert done == [1]
    credentials.forget()
    assert opened(server, tenant, channel) == server.plan.keys.meta_channel_token


def test_the_tenants_of_a_rotation_come_in_pages(server):
    tenants = [server.owner.tenant]
    for number in range(3):
        tenants.append(open_account(server.plan, f"otro{number}@negocio.example", "Otro negocio").tenant)
        keep(tenants[-1], connect(tenants[-1]))
    open_account(server.plan, "nadie@negocio.example", "Sin canal")
    first = credentials.tenants(None, 3, deadline())
    rest = credentials.tenants(first[-1], 3, deadline())
    assert first + rest == sorted(tenants)
    assert credentials.tenants(rest[-1], 3, deadline()) == []


def spellings(secret: str) -> set[str]:
    """The secret as it stands, in hexadecimal, and in base64 at each of the three alignments."""
    raw = secret.encode()
    cores = {base64.b64encode(bytes(shift) + raw)[4:-4].decode() for shift in range(3)}
    return {
        secret,
        raw.hex(),
        raw.hex().upper(),
        secret[::-1],
        *cores,
        *(core.translate({43: 45, 47: 95}) for core in cores),
    }


@pytest.mark.parametrize("shift", range(3))
def test_the_search_finds_a_token_wherever_it_begins(shift):
    text = base64.b64encode(bytes(shift) + TOKEN.encode() + b"\xff\xff").decode()
    assert any(spelling in text for spelling in spellings(TOKEN))


def test_a_token_is_nowhere_to_be_read(server, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    tenant = server.owner.tenant
    channel = connect(tenant)
    shown = []

    def show(act: Callable[[], object]) -> None:
        with pytest.raises(Problem) as caught:
            act()
        report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        shown.extend([*report.format(), repr(caught.value), str(caught.value), str(caught.value.body())])

    keep(tenant, channel)
    credentials.rotate(tenant, deadline())
    credentials.rewrap(tenant, deadline())
    token = credentials.open_sealed(tenant, "access_token", sealed(server, tenant, channel), deadline())
    assert token.reveal() == TOKEN
    shown += [repr(token), f"{token}", str(vars(credentials))]
    show(lambda: credentials.keep(tenant, str(uuid.uuid4()), "access_token", Sensitive(TOKEN), deadline()))
    show(lambda: credentials.keep(tenant, channel, "access_token", Sensitive(TOKEN), Deadline(0)))
    show(lambda: credentials.keep(tenant, channel, "access_token", Sensitive(TOKEN + " "), deadline()))
    bad = sealed(server, tenant, channel).model_copy(update={"key_version": 9})
    show(lambda: credentials.open_sealed(tenant, "access_token", bad, deadline()))
    tables = [row["name"] for row in server.rows("select relname as name from pg_class where relkind = 'r' "
              "and relnamespace in ('public'::regnamespace, 'auth'::regnamespace)")]  # fmt: skip
    assert {"credentials", "tenant_keys", "audit_log"} <= set(tables)
    dump = [
        row["text"]
        for schema, table in [("auth" if table == "users" else "public", table) for table in tables]
        if server.rows("select to_regclass(%s) as found", f"{schema}.{table}")[0]["found"]
        for row in server.rows(f"select to_jsonb(t)::text as text from {schema}.{table} t")
    ]
    assert any("v1." in line for line in dump)
    output = capsys.readouterr()
    everything = "\n".join([*dump, *shown, caplog.text, output.out, output.err, *map(repr, caplog.records)])
    assert [spelling for spelling in spellings(TOKEN) if spelling in everything] == []
    key = credentials._unwrapped(tenant, sealed(server, tenant, channel).wrapped_key, deadline())
    kept_or_logged = "\n".join([*dump, caplog.text, output.out, output.err])
    assert not any(text in kept_or_logged for text in (key.hex(), repr(key), base64.b64encode(key).decode()[:40]))


def test_without_a_master_key_nothing_is_kept(server, monkeypatch):
    tenant, channel = server.owner.tenant, connect(server.owner.tenant)
    hidden = server.plan.master_keys.with_suffix(".away")
    server.plan.master_keys.rename(hidden)
    try:
        credentials.forget()
        with pytest.raises(Unavailable, match="local_key_file_missing"):
            keep(tenant, channel)
        assert server.rows("select from credentials where channel_id = %s", channel) == []
    finally:
        hidden.rename(server.plan.master_keys)
    keep(tenant, channel)
    assert opened(server, tenant, channel) == TOKEN
