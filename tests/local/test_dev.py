"""`make dev` before anything starts: the plan, the ports, and what an address from outside changes."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from local.dev import SettingError, check_ports, components, make_plan
from local.plan import PARTS, Keys, Plan, plan_with_first_port, save
from local.serve import bind
from local.supervisor import WorldError

OUTSIDE = {
    "SUPABASE_URL": "https://project.supabase.co",
    "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_x",
    "SUPABASE_SECRET_KEY": "sb_secret_x",
}


def test_the_plan_is_kept_and_its_ports_can_be_moved(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    first = make_plan(path, {})
    save(first, path)
    assert make_plan(path, {}) == first
    moved = make_plan(path, {"PORTERO_PORT": "9700"})
    assert moved.ports["gateway"] == 9700
    assert moved.keys == first.keys


@pytest.mark.parametrize("port", ["", "80", "65535", "abc", "-1"])
def test_a_port_that_cannot_be_is_refused(tmp_path: Path, port: str) -> None:
    with pytest.raises(SettingError, match="PORTERO_PORT"):
        make_plan(tmp_path / "plan.json", {"PORTERO_PORT": port})


@pytest.mark.parametrize("missing", ["SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY"])
def test_an_outside_address_needs_its_keys(tmp_path: Path, missing: str) -> None:
    environ = {name: value for name, value in OUTSIDE.items() if name != missing}
    with pytest.raises(SettingError, match=missing):
        make_plan(tmp_path / "plan.json", environ)


def test_a_busy_port_is_named_with_its_owner_and_a_way_out() -> None:
    with bind(0) as taken:
        port = taken.getsockname()[1]
        plan = Plan(ports=dict.fromkeys(PARTS, port), keys=Keys())
        with pytest.raises(WorldError) as refusal:
            check_ports(plan, ["meta"])
    assert f"Port {port}, wanted for meta, is in use by " in str(refusal.value)
    assert f"(process {os.getpid()})" in str(refusal.value)
    assert "PORTERO_PORT=" in str(refusal.value)
    check_ports(plan, ["meta"])


@pytest.mark.parametrize(("environ", "has_database"), [({}, True), (OUTSIDE, False)])
def test_an_outside_supabase_replaces_the_database(environ: Mapping[str, str], has_database: bool) -> None:
    world = {component.name: component for component in components(plan_with_first_port(), environ)}
    assert ("postgres" in world) == ("supabase" in world) == ("seed" in world) == has_database
    assert {"aws", "simulators", "gateway"} <= set(world)
    assert all(need in world for component in world.values() for need in component.after)
