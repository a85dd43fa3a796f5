from local.payloads import text, whatsapp_message
from local.world import World
from shared.data import store

OLD = {
    "inbox": ("received_at", "91 days"),
    "outbox": ("created_at", "31 days"),
    "messages": ("created_at", "25 months"),
}


def retain(world: World) -> dict[str, object]:
    [ran] = world.schedules.fire("cron_retention")
    return ran.payload


def make_old(world: World, table: str) -> None:
    column, age = OLD[table]
    world.rows(f"update {table} set {column} = now() - interval '{age}'")


def test_what_is_young_stays_and_what_is_old_goes(world):
    world.receive(whatsapp_message(text("¿hacen envíos?")))
    world.settle()
    before = {table: len(world.rows(f"select 1 from {table}")) for table in OLD}
    assert retain(world) == {"erased": {}, "left": False}
    assert {table: len(world.rows(f"select 1 from {table}")) for table in OLD} == before
    for table in OLD:
        make_old(world, table)
    # An outbox row goes with its message.
    erased = {table: count for table, count in before.items() if table != "outbox"}
    assert retain(world) == {"erased": erased, "left": False}
    assert [world.rows(f"select 1 from {table}") for table in OLD] == [[], [], []]
    assert retain(world) == {"erased": {}, "left": False}


def test_what_is_old_and_still_open_stays(world):
    world.receive(whatsapp_message(text("¿hacen envíos?")))
    make_old(world, "inbox")
    assert retain(world) == {"erased": {}, "left": False}
    world.rows("update inbox set outcome = 'failed', settled_at = now()")
    assert retain(world) == {"erased": {"inbox": 1}, "left": False}


def test_more_than_a_batch_is_erased_batch_by_batch(world, monkeypatch):
    batches = []
    prune = store.prune
    monkeypatch.setattr("functions.cron_retention.BATCH_ROWS", 1)
    monkeypatch.setattr("shared.data.store.prune", lambda *given: batches.append(given[0]) or prune(*given))
    for number in range(3):
        world.receive(whatsapp_message(text(f"¿hacen envíos? {number}")))
    world.settle()
    make_old(world, "inbox")
    old = len(world.rows("select 1 from inbox"))
    assert old >= 3
    assert retain(world) == {"erased": {"inbox": old}, "left": False}
    assert batches == [1] * (old + 1)


def test_no_batch_is_begun_that_the_deadline_would_cut_off(world, monkeypatch):
    assert retain(world) == {"erased": {}, "left": False}
    monkeypatch.setattr("functions.cron_retention.LAST_BATCH_SECONDS", 1000.0)
    assert retain(world) == {"erased": {}, "left": True}
