"""The senders of the billing and privacy webhooks, against the real handlers."""

import pytest

from local import notify


def test_a_rightly_signed_call_is_kept_as_trusted(world):
    assert notify.notify_mercadopago(world.plan, "payment", "98124501122").json() == {"kept": 1}
    assert notify.notify_paddle(world.plan, "subscription.created", {"id": "sub_1"}).json() == {"kept": 1}
    assert notify.ask_deletion(world.plan, "122091234567890123").json()["confirmation_code"]
    rows = world.rows("select provider, trusted from billing_events order by provider")
    assert rows == [{"provider": "mercadopago", "trusted": True}, {"provider": "paddle", "trusted": True}]


def test_a_wrongly_signed_call_is_not(world):
    assert notify.notify_mercadopago(world.plan, "payment", "1", wrong_signature=True).json() == {"kept": 1}
    assert notify.notify_paddle(world.plan, "subscription.created", {}, wrong_signature=True).status_code == 401
    assert notify.ask_deletion(world.plan, "1", wrong_signature=True).status_code == 401
    assert world.rows("select provider, trusted from billing_events") == [{"provider": "mercadopago", "trusted": False}]


def test_the_command_line_says_what_the_webhook_answered(world, monkeypatch, capsys):
    monkeypatch.setattr(notify, "load", lambda path: world.plan)
    assert notify.main(["paddle", "subscription.created", '{"id":"sub_1"}']) == 0
    assert capsys.readouterr().out == 'HTTP 200  {"kept": 1}\n'
    assert notify.main(["deletion", "1", "--wrong-signature"]) == 1
    assert capsys.readouterr().out.startswith("HTTP 401")
    assert notify.main(["mercadopago", "payment", "1"]) == 0


def test_it_says_when_nothing_is_running(world, monkeypatch, capsys):
    monkeypatch.setattr(notify, "load", lambda path: None)
    assert notify.main(["paddle", "subscription.created"]) == 1
    assert "make dev" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        notify.main(["stripe"])
