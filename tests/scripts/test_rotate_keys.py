"""The rotation of all tenants: what it counts, where it stops, and that it prints no key."""

import base64
import json
from collections.abc import Iterator

import pytest

from local.seed import open_account
from local.world import World
from scripts import rotate_keys
from shared.clock import Deadline
from shared.data import credentials, store
from shared.data.encryption import Sensitive
from shared.errors import Unavailable

TOKEN = "EAACtoken-of-the-rotation"


@pytest.fixture
def tenants(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Three tenants with a credential each, in the order of a rotation; pages of two."""
    monkeypatch.setattr(rotate_keys, "PAGE", 2)
    with world.as_server():
        for number in range(2):
            tenant = open_account(world.plan, f"otro{number}@negocio.example", "Otro negocio").tenant
            channel = store.connect_channel(tenant, "whatsapp", f"9{number}", "1", "+54", Deadline(10))
            credentials.keep(tenant, channel, "access_token", Sensitive(TOKEN), Deadline(10))
        yield credentials.tenants(None, 10, Deadline(10))


def keys(world: World) -> dict[str, tuple[int, ...]]:
    """The versions of each tenant's data key."""
    rows = world.rows("select tenant_id::text, array_agg(version order by version) as held from tenant_keys group by 1")
    return {row["tenant_id"]: tuple(row["held"]) for row in rows}


def assert_all_open(world: World) -> None:
    credentials.forget()
    rows = world.rows(
        "select r.tenant_id::text as tenant, r.channel_id::text as channel, ciphertext, key_version, wrapped_key "
        "from credentials r join tenant_keys k on k.tenant_id = r.tenant_id and k.version = r.key_version"
    )
    assert len(rows) == 3
    for row in rows:
        sealed = store.SealedCredential.model_validate(row)
        assert credentials.open_sealed(row["tenant"], "access_token", sealed, Deadline(10)).reveal().startswith("EAAC")


def test_every_tenant_gets_a_new_data_key(world, tenants, capsys):
    assert rotate_keys.main(["--new-data-keys"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out == [
        "2 tenants, 2 data keys made, 2 credentials encrypted, 2 data keys dropped, 0 failed",
        "3 tenants, 3 data keys made, 3 credentials encrypted, 3 data keys dropped, 0 failed",
    ]
    assert keys(world) == dict.fromkeys(tenants, (2,))
    assert_all_open(world)


def test_one_tenant_alone_or_those_behind_one(world, tenants, capsys):
    first, *behind = tenants
    assert rotate_keys.main(["--new-data-keys", "--tenant", first.upper()]) == 0
    assert keys(world) == {first: (2,), **dict.fromkeys(behind, (1,))}
    assert rotate_keys.main(["--new-data-keys", "--after", first]) == 0
    assert keys(world) == dict.fromkeys(tenants, (2,))
    assert capsys.readouterr().out.count("0 failed") == 3
    assert_all_open(world)


def test_after_the_master_key_has_changed_every_data_key_is_wrapped_anew(world, tenants, capsys):
    file = world.plan.master_keys
    [old] = json.loads(file.read_text())
    new = base64.b64encode(b"n" * 32).decode()
    try:
        file.write_text(json.dumps([new, old]))
        assert rotate_keys.main(["--rewrap"]) == 0
        file.write_text(json.dumps([new]))
        assert_all_open(world)
    finally:
        file.write_text(json.dumps([old]))
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == "3 tenants, 3 data keys wrapped, 0 failed"
    for secret in (old, new, TOKEN, *(row["wrapped_key"] for row in world.rows("select wrapped_key from tenant_keys"))):
        assert secret not in printed.out + printed.err
    assert keys(world) == dict.fromkeys(tenants, (1,))


def test_an_interruption_says_how_to_go_on_and_nothing_is_lost(world, tenants, capsys, monkeypatch):
    real = credentials.rotate

    def interrupted(tenant: str, deadline: Deadline) -> credentials.Rotated:
        if tenant == tenants[1]:
            raise KeyboardInterrupt
        return real(tenant, deadline)

    with monkeypatch.context() as patch:
        patch.setattr(credentials, "rotate", interrupted)
        assert rotate_keys.main(["--new-data-keys"]) == 130
    printed = capsys.readouterr()
    assert "1 tenants, 1 data keys made" in printed.out
    assert f"--after {tenants[0]}" in printed.err
    assert_all_open(world)
    assert rotate_keys.main(["--new-data-keys", "--after", tenants[0]]) == 0
    assert keys(world) == dict.fromkeys(tenants, (2,))
    assert_all_open(world)


def test_a_tenant_that_fails_is_named_and_the_others_are_done(world, tenants, capsys):
    world.rows("update credentials set ciphertext = reverse(ciphertext) where tenant_id = %s", tenants[0])
    assert rotate_keys.main(["--new-data-keys"]) == 1
    printed = capsys.readouterr()
    assert printed.err == f"tenant {tenants[0]} failed: credential_unreadable\n"
    assert printed.out.splitlines()[-1].endswith("1 failed")
    assert keys(world) == {tenants[0]: (1, 2), tenants[1]: (2,), tenants[2]: (2,)}
    world.rows("update credentials set ciphertext = reverse(ciphertext) where tenant_id = %s", tenants[0])
    assert rotate_keys.main(["--new-data-keys", "--tenant", tenants[0]]) == 0
    assert keys(world)[tenants[0]] == (3,)
    assert_all_open(world)


def test_when_all_fail_it_stops(world, tenants, capsys, monkeypatch):
    def away(*given: object) -> None:
        raise Unavailable("kms_refused")

    monkeypatch.setattr(rotate_keys, "MAXIMUM_FAILURES", 2)
    with monkeypatch.context() as patch:
        patch.setattr(credentials, "rewrap", away)
        assert rotate_keys.main(["--rewrap"]) == 1
        assert capsys.readouterr().err.splitlines()[-1] == "Stopped: 2 tenants failed."
        patch.setattr(credentials, "tenants", away)
        assert rotate_keys.main(["--rewrap"]) == 1
        assert "could not be listed (kms_refused). Nothing was done." in capsys.readouterr().err
    assert rotate_keys.main(["--rewrap"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [[], ["--rewrap", "--new-data-keys"], ["--rewrap", "--tenant", "7"], ["--rewrap", "--tenant", "", "--after", ""]],
)
def test_wrong_arguments_do_nothing(arguments, capsys):
    with pytest.raises(SystemExit) as exit:
        rotate_keys.main(arguments)
    assert exit.value.code == 2


def test_without_an_offline_world_there_is_none_to_rotate(monkeypatch, tmp_path):
    monkeypatch.setattr("local.parts.PLAN_FILE", tmp_path / "plan.json")
    with pytest.raises(SystemExit, match="make dev"):
        rotate_keys.main(["--rewrap", "--local"])
