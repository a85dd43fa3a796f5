import pytest

from local.payloads import text, whatsapp_message
from local.world import World


def recover(world: World) -> dict[str, int]:
    [ran] = world.schedules.fire("cron_recover")
    return ran.payload


def test_nothing_left_lying_is_nothing_to_do(world):
    world.receive(whatsapp_message(text("¿hacen envíos?")))
    assert recover(world) == {"turns": 0, "sends": 0, "files": 0, "media": 0, "given_up": 0}


def test_a_message_without_an_outcome_goes_back_to_the_queue(world):
    world.receive(whatsapp_message(text("¿hacen envíos?")))
    world.cloud.reset()  # the wake is lost
    world.rows("update inbox set received_at = now() - interval '5 minutes'")
    assert recover(world) == {"turns": 1, "sends": 0, "files": 0, "media": 0, "given_up": 0}
    world.settle()
    assert len(world.sent()) == 1
    assert recover(world) == {"turns": 0, "sends": 0, "files": 0, "media": 0, "given_up": 0}


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def test_the_http_trigger_wants_the_secret_in_the_header(world):
    secret = world.plan.keys.cron
    assert world.call("POST", "/cron/recover", headers=bearer(secret)).json() == {
        "turns": 0,
        "sends": 0,
        "files": 0,
        "media": 0,
        "given_up": 0,
    }
    refused = [
        world.call("POST", "/cron/recover"),
        world.call("POST", "/cron/recover", headers=bearer("wrong")),
        world.call("POST", "/cron/recover", headers={"authorization": secret}),
        world.call("POST", "/cron/recover", params={"authorization": f"Bearer {secret}", "secret": secret}),
        world.call("POST", "/cron/recover", json={"authorization": f"Bearer {secret}"}),
    ]
    # The last one has a body, and this function takes none.
    assert [answer.status_code for answer in refused] == [401, 401, 401, 401, 413]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": None},
        {"source": "aws.events", "detail-type": "Scheduled Event", "resources": ["arn:aws:events:x:1:rule/y"]},
    ],
)
def test_a_schedule_event_without_the_secret_is_refused_and_says_nothing_of_it(world, event):
    assert recover(world) == {"turns": 0, "sends": 0, "files": 0, "media": 0, "given_up": 0}
    refused = world.invoke("cron_recover", event)
    assert refused.error is not None
    assert refused.error.type == "RuntimeError"
    assert world.plan.keys.cron not in repr(refused)
