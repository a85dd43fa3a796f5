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


def test_there_is_no_way_over_http(world):
    headers = {"authorization": f"Bearer {world.plan.keys.cron}"}
    assert world.call("POST", "/cron/recover", headers=headers).status_code == 404
    assert recover(world) == {"turns": 0, "sends": 0, "files": 0, "media": 0, "given_up": 0}


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
