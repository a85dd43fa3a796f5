"""The functions get local addresses, unless a person names real ones."""

import base64
import json
from pathlib import Path

import pytest

from local import environment
from local.plan import ACCOUNT, PROJECT, REGION, STAGE, make_master_keys, plan_with_first_port
from local.template import load_template

PLAN = plan_with_first_port(8700)


def test_everything_is_local_by_default() -> None:
    values = environment.overrides(PLAN, {})
    assert values["META_GRAPH_URL"] == PLAN.url("meta") + "/v24.0"
    assert values["AI_BASE_URL"] == PLAN.url("model") + "/v1"
    assert values["SUPABASE_URL"] == PLAN.url("supabase")
    assert all("127.0.0.1" in value for name, value in values.items() if name.endswith("_URL"))
    assert environment.secret_parameters(PLAN, {}) == PLAN.secret_parameters()


def test_a_real_service_brings_its_key() -> None:
    environ = {"AI_BASE_URL": "https://api.example/v1", "AI_API_KEY": "sk-real", "AI_MODEL": "m"}
    values = environment.overrides(PLAN, environ)
    assert (values["AI_BASE_URL"], values["AI_MODEL"]) == ("https://api.example/v1", "m")
    assert values["SUPABASE_URL"] == PLAN.url("supabase")
    [key] = json.loads(environment.secret_parameters(PLAN, environ)["AI_API_KEY"])
    assert key["value"] == "sk-real"


def test_a_job_of_the_server_has_what_a_sending_function_has() -> None:
    values = environment.server_variables(PLAN, {})
    template = load_template(PROJECT / "serverless.yml", STAGE, REGION, ACCOUNT)
    function = template.environment_for(
        "queue_send", lambda value: "x", environment.overrides(PLAN, {}), PLAN.url("aws")
    )
    assert values.pop("KMS_KEY_ID") == ""
    # A job has the operator's permissions, a function those of its role.
    assert (values.pop("AWS_ACCESS_KEY_ID"), function["AWS_ACCESS_KEY_ID"]) == ("local", "queue_send")
    assert {name: function[name] for name in values} == values
    assert function["LOCAL_KEY_FILE"] == str(PLAN.master_keys)
    assert "KMS_KEY_ID" not in function


def test_the_master_keys_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "master_keys.json"
    make_master_keys(path)
    assert path.stat().st_mode & 0o777 == 0o600
    made = path.read_text()
    [key] = json.loads(made)
    assert len(base64.b64decode(key)) == 32
    make_master_keys(path)
    assert path.read_text() == made
    make_master_keys(tmp_path / "others.json")
    assert (tmp_path / "others.json").read_text() != made


@pytest.mark.parametrize("name", ["SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY", "AI_API_KEY", "AI_MODEL"])
def test_a_stray_key_in_the_shell_changes_nothing(name: str) -> None:
    assert environment.overrides(PLAN, {name: "x"}) == environment.overrides(PLAN, {})
    assert environment.secret_parameters(PLAN, {name: "x"}) == environment.secret_parameters(PLAN, {})


def test_missing_keys_are_named() -> None:
    assert environment.missing_names({}) == []
    assert environment.missing_names({"AI_BASE_URL": "https://api.example/v1"}) == ["AI_API_KEY"]
