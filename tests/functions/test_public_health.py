from shared import clock


def test_it_answers_anybody_within_the_rate(world):
    with clock.held_at(1_800_000_000.0):
        answers = [world.call("GET", "/public/health") for _ in range(61)]
    assert {answer.status_code for answer in answers[:60]} == {200}
    assert answers[0].json() == {"status": "ok", "stage": "local"}
    assert answers[60].status_code == 429
    assert int(answers[60].headers["retry-after"]) >= 1
