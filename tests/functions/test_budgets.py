"""What a business may use up: admitted, refused with a sentence, kept in the ledger, and all that without Redis too."""

import json
import time

from local.payloads import text, whatsapp_message
from local.world import World
from shared import clock
from shared.abuse import admission

ASK = "¿hacen envíos?"


def limit(world: World, **limits: int) -> None:
    """Limits of the shop's own, with dots for the underscores that divide scope, window and meter."""
    named = json.dumps({name.replace("__", "."): amount for name, amount in limits.items()})
    world.rows(
        "insert into tenant_budgets (tenant_id, limits) values (%s, %s)"
        " on conflict (tenant_id) do update set limits = excluded.limits",
        world.owner.tenant,
        named,
    )


def outcomes(world: World) -> list[str | None]:
    return [
        row["outcome"] for row in world.rows("select outcome from inbox where kind = 'message' order by received_at")
    ]


def ledger(world: World) -> list[dict[str, object]]:
    return world.rows("select * from usage_ledger order by admitted_at")


def chat(world: World):
    return world.call_as_owner("/ai/chat", {"tenant": world.owner.tenant, "text": ASK})


def wake_again(world: World) -> None:
    """As a minute later: claims are over, and the sweep brings back what was left."""
    world.rows("update conversations set claimed_until = null")
    world.rows("update inbox set received_at = received_at - interval '5 minutes'")
    world.rows("update outbox set next_attempt_at = now() - interval '5 minutes', claimed_until = null")
    world.schedules.fire("cron_recover")
    world.settle()


def quiet_minute_is_over(world: World) -> None:
    world.rows("update tenant_budgets set opens_at = now() - interval '1 second'")
    world.rows("update provider_budgets set opens_at = now() - interval '1 second' where epoch > 0")


def counters(world: World) -> dict[str, list[int]]:
    flat = world.redis("HGETALL", f"portero:t:{world.owner.tenant}")
    stored = dict(zip(flat[::2], flat[1::2], strict=True))
    return {
        name: [int(part) for part in value.split(" ")][1:3] for name, value in stored.items() if name.startswith("u:")
    }


def test_a_turn_and_its_message_are_in_the_ledger_with_what_they_used(world):
    world.receive(whatsapp_message(text(ASK)))
    world.settle()
    reply, send = ledger(world)
    assert (reply["function"], reply["provider"], send["function"], send["sends"]) == (
        "queue_reply",
        "model",
        "queue_send",
        1,
    )
    assert 0 < reply["ai_microdollars"] < 5000
    assert reply["ai_tokens"] > 0
    assert reply["embedding_tokens"] > 0
    assert reply["contact_id"] == send["contact_id"] is not None
    used = counters(world)
    assert used["u:tenant::day:ai_microdollars"] == [reply["ai_microdollars"], 0]
    assert used[f"u:contact:{reply['contact_id']}:day:sends"] == [1, 0]
    assert used["u:tenant::now:calls"] == [0, 0]


def test_over_budget_the_customer_gets_the_sentence_once_and_a_person(world):
    limit(world, tenant__month__ai_microdollars=3000)
    world.receive(whatsapp_message(text(ASK)))
    world.settle()
    assert outcomes(world) == ["replied"]
    world.rows("update usage_ledger set ai_microdollars = 2999 where function = 'queue_reply'")
    world.redis("FLUSHALL")  # and it is built again from the ledger
    world.receive(whatsapp_message(text("¿y los domingos?")))
    world.settle()
    assert outcomes(world) == ["replied", None]
    quiet_minute_is_over(world)
    wake_again(world)
    assert outcomes(world) == ["replied", "over_budget"]
    # The other provider was lost as well, and has its own minute.
    quiet_minute_is_over(world)
    wake_again(world)
    [sentence] = world.rows("select hand_off_sentence from tenants where id = %s", world.owner.tenant)
    assert [sent["text"] for sent in world.sent()][1:] == [sentence["hand_off_sentence"]]
    world.receive(whatsapp_message(text("¿hola?")))
    world.settle()
    assert outcomes(world) == ["replied", "over_budget", "handed_to_person"]
    assert len(world.sent()) == 2


def test_a_model_without_a_price_is_refused_and_one_with_a_price_answers(world, monkeypatch):
    assert chat(world).status_code == 200
    monkeypatch.setitem(world.variables["ai_chat"], "AI_MODEL", "gpt-of-next-year")
    refused = chat(world)
    assert (refused.status_code, "retry-after" in refused.headers) == (503, False)


def test_the_owner_sees_the_limits_in_headers_and_is_refused_in_the_standard_form(world):
    answered = chat(world)
    assert answered.status_code == 200
    policies = answered.headers["ratelimit-policy"]
    assert '"member.calls";q=20;w=60;qu="requests"' in policies
    assert '"tenant.day.ai_microdollars";q=500000;w=86400;portero-unit="ai_microdollars"' in policies
    assert '"member.calls";r=19' in answered.headers["ratelimit"]
    limit(world, tenant__day__ai_microdollars=3000, member__day__ai_microdollars=5000)
    world.rows("update tenant_budgets set version = version + 1")
    while (answered := chat(world)).status_code == 200:
        pass
    assert answered.status_code == 429
    told = answered.json()
    assert told["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert told["violated-policies"] == ["tenant.day.ai_microdollars"]
    assert int(answered.headers["retry-after"]) > 0


def test_more_than_a_limit_can_hold_is_too_large_and_says_no_time(world):
    limit(world, tenant__day__ai_microdollars=1)
    refused = chat(world)
    assert (refused.status_code, "retry-after" in refused.headers) == (413, False)
    limit(world)
    world.rows("update tenant_budgets set version = version + 1")
    assert chat(world).status_code == 200


def test_a_stop_by_an_operator_holds_from_the_next_call_on(world):
    assert chat(world).status_code == 200
    world.redis("HSET", f"portero:t:{world.owner.tenant}", "stopped", "ai")
    assert chat(world).status_code == 503
    world.redis("HSET", f"portero:t:{world.owner.tenant}", "stopped", "")
    assert chat(world).status_code == 200


def test_what_a_person_used_reaches_the_ledger_by_the_schedule_and_only_once(world):
    assert chat(world).status_code == 200
    assert ledger(world) == []
    [ran] = world.schedules.fire("cron_budgets")
    assert (ran.payload["written"], ran.payload["tenants"]) == (1, 1)
    [row] = ledger(world)
    assert row["function"] == "ai_chat"
    assert world.rows("select role from members where user_id = %s", row["user_id"]) == [{"role": "owner"}]
    assert row["ai_microdollars"] > 0
    [ran] = world.schedules.fire("cron_budgets")
    assert ran.payload["written"] == 0


def test_what_redis_lost_of_the_ledger_is_lifted_and_told(world):
    world.receive(whatsapp_message(text(ASK)))
    world.settle()
    world.rows("update usage_ledger set ai_microdollars = ai_microdollars + 500 where function = 'queue_reply'")
    [ran] = world.schedules.fire("cron_budgets")
    # The day and the month of the tenant, the day of the contact.
    assert ran.payload["lifted"] == 3
    [row] = [row for row in ledger(world) if row["function"] == "queue_reply"]
    assert counters(world)["u:tenant::day:ai_microdollars"] == [row["ai_microdollars"], 0]
    [ran] = world.schedules.fire("cron_budgets")
    assert ran.payload["lifted"] == 0


def test_near_and_at_the_limit_the_owner_is_told_once(world):
    limit(world, tenant__day__sends=5)
    for number in range(5):
        world.receive(whatsapp_message(text(f"{ASK} {number}")))
        world.settle()
    told = world.rows("select policy, level from usage_alerts order by level")
    assert told == [{"policy": "tenant.day.sends", "level": 80}, {"policy": "tenant.day.sends", "level": 100}]
    world.receive(whatsapp_message(text(ASK)))
    world.settle()
    assert len(world.sent()) == 5
    [waiting] = world.rows("select error from outbox where state = 'pending'")
    assert waiting["error"] == "denied_budget_spent"
    answer = world.call_as_owner(
        "/app/usage", {"tenant": world.owner.tenant, "from": "2026-01-01", "to": time.strftime("%Y-%m-%d")}
    ).json()
    assert [(alert["policy"], alert["level"]) for alert in answer["alerts"]] == [
        ("tenant.day.sends", 100),
        ("tenant.day.sends", 80),
    ]


def test_the_owner_sees_what_was_used_by_day_channel_and_function(world):
    world.receive(whatsapp_message(text(ASK)))
    world.settle()
    today = {"tenant": world.owner.tenant, "from": "2026-01-01", "to": "2026-12-31"}
    answer = world.call_as_owner("/app/usage", today)
    assert answer.status_code == 200
    told = answer.json()
    assert [day["function"] for day in told["days"]] == ["queue_reply", "queue_send"]
    assert told["days"][0]["channel_id"]
    [sends] = [balance for balance in told["limits"] if balance["limit"] == "tenant.day.sends"]
    assert (sends["used"], sends["held"], sends["left"]) == (1, 0, sends["quota"] - 1)
    assert world.call_as_owner("/app/usage", today | {"to": "2025-12-31"}).status_code == 422


def test_without_redis_intake_goes_on_ai_is_admitted_in_postgres_and_sends_wait(world):
    world.receive(whatsapp_message(text("hola")))
    world.settle()
    with world.away("upstash"):
        assert world.receive(whatsapp_message(text(ASK))).status_code == 200
        world.settle()
        # For a minute nobody is admitted: Redis may have granted something that is still being used.
        assert outcomes(world)[-1] is None
        quiet_minute_is_over(world)
        wake_again(world)
        assert outcomes(world)[-1] == "replied"
        assert len(world.sent()) == 1
        [waiting] = world.rows("select error from outbox where state = 'pending'")
        assert waiting["error"] == "denied_store_away"
        assert world.rows("select place from tenant_budgets") == [{"place": "postgres"}]
        assert world.rows("select 1 from usage_holds") == []
    wake_again(world)
    assert len(world.sent()) == 2
    assert world.rows("select place from tenant_budgets") == [{"place": "redis"}]
    # Redis counts on from what Postgres admitted.
    total = sum(row["ai_microdollars"] for row in ledger(world))
    assert counters(world)["u:tenant::day:ai_microdollars"] == [total, 0]


def test_a_person_is_admitted_in_postgres_too_at_full_price(world):
    with world.away("upstash"):
        assert chat(world).status_code == 200
        [row] = ledger(world)
        assert row["ai_microdollars"] > 1000
        limit(world, tenant__day__ai_microdollars=row["ai_microdollars"] + 5)
        assert chat(world).status_code == 429


def test_without_redis_and_database_it_is_closed(world):
    assert chat(world).status_code == 200
    with world.away("upstash"), world.away("supabase"):
        refused = chat(world)
    assert refused.status_code == 503
    assert "retry-after" in refused.headers
    assert chat(world).status_code == 200


def test_a_model_that_fails_opens_the_breaker_and_costs_nothing(world):
    world.script("model", mode="fail", status=500)
    for _ in range(5):
        assert chat(world).status_code == 503
    calls = world.client.get(f"{world.plan.url('model')}/_local/calls").json()["count"]
    refused = chat(world)
    assert (refused.status_code, refused.json()["type"].rpartition("#")[2]) == (503, "temporary-reduced-capacity")
    assert int(refused.headers["retry-after"]) >= 1
    assert world.client.get(f"{world.plan.url('model')}/_local/calls").json()["count"] == calls
    assert counters(world)["u:tenant::day:ai_microdollars"] == [0, 0]


def test_a_model_that_does_not_answer_is_charged_in_full(world, monkeypatch):
    from shared.assistant import model

    monkeypatch.setattr(model, "MAXIMUM_SECONDS", 0.2)
    world.script("model", mode="stall", seconds=2, endpoint="chat")
    assert chat(world).status_code == 503
    [used, held] = counters(world)["u:tenant::day:ai_microdollars"]
    assert used > 1000
    assert held == 0


def test_a_hold_that_nobody_settled_is_charged_by_the_schedule_and_written_down(world, monkeypatch):
    with monkeypatch.context() as dying:
        dying.setattr(admission.Grant, "settle", lambda grant: None)
        assert chat(world).status_code == 200
    [used, held] = counters(world)["u:tenant::day:ai_microdollars"]
    assert (used, held > 1000) == (0, True)
    [ran] = world.schedules.fire("cron_budgets")
    assert (ran.payload["expired"], ran.payload["written"]) == (0, 0)
    with clock.held_at(time.time() + 90):
        [ran] = world.schedules.fire("cron_budgets")
    assert (ran.payload["expired"], ran.payload["written"]) == (1, 1)
    assert counters(world)["u:tenant::day:ai_microdollars"] == [held, 0]
    [row] = ledger(world)
    assert row["ai_microdollars"] == held
