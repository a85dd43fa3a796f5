"""The demo shop: an owner with an account, a WhatsApp number, and two files of knowledge.

Everything goes the way it goes in production: the account through Supabase Auth, the number through the server's
function, its access token encrypted under the shop's own key, the knowledge through `app_upload` with the owner's own
token. Done again, it changes nothing.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
from supabase import Client, ClientOptions, create_client
from supabase_auth.errors import AuthApiError

from local import environment
from local.payloads import DEMO_DISPLAY_NUMBER, DEMO_INSTAGRAM_ID, DEMO_NUMBER_ID, DEMO_PAGE_ID, DEMO_WABA_ID
from local.plan import Plan
from local.supabase import totp
from shared.clock import Deadline
from shared.data import credentials, store
from shared.data.encryption import Sensitive
from shared.errors import Problem

OWNER_EMAIL = "duena@tienda.example"
SHOP = "Cerámica San Telmo"
INSTRUCTIONS = "Sé amable y breve. No prometas descuentos."
KNOWLEDGE = Path(__file__).with_name("demo_shop")
SECONDS = 20.0


Row = dict[str, Any]


class SeedFailed(Exception):
    """The demo shop could not be set up; the message says which step and what was answered."""


@dataclass(frozen=True)
class Owner:
    """A signed-in owner of a business."""

    tenant: str
    access_token: str


def seed(plan: Plan) -> Owner:
    """Set the shop up where it is not there yet, and sign its owner in. Raises SeedFailed.

    The environment has to be that of the server: environment.server_variables(plan).
    """
    owner = open_account(plan, OWNER_EMAIL, SHOP)
    as_owner(plan, owner).from_("tenants").update({"instructions": INSTRUCTIONS}).eq("id", owner.tenant).execute()
    connect_number(plan, owner.tenant)
    files = cast(list[Row], as_owner(plan, owner).from_("knowledge_files").select("name").execute().data)
    known = {file["name"] for file in files}
    for path in sorted(KNOWLEDGE.glob("*.md")):
        if path.name not in known:
            upload(plan, owner, path)
    return owner


def connect_number(plan: Plan, tenant: str) -> None:
    """Connect the demo number to a business, with an access token of its own, a page and an Instagram account.

    Raises SeedFailed.
    """
    deadline = Deadline(SECONDS)
    try:
        channel = store.connect_channel(tenant, "whatsapp", DEMO_NUMBER_ID, DEMO_WABA_ID, DEMO_DISPLAY_NUMBER, deadline)
        if channel not in {credential.channel for credential in credentials.kept(tenant, deadline)}:
            credentials.keep(tenant, channel, "access_token", Sensitive(plan.keys.meta_channel_token), deadline)
        store.connect_channel(tenant, "messenger", DEMO_PAGE_ID, DEMO_PAGE_ID, SHOP, deadline)
        store.connect_channel(tenant, "instagram", DEMO_INSTAGRAM_ID, DEMO_INSTAGRAM_ID, SHOP, deadline)
    except Problem as problem:
        raise SeedFailed(f"The channels were not connected: {problem.name}") from None


def open_account(plan: Plan, email: str, business: str) -> Owner:
    """Make the account if it is not there, and sign in. The database gives a new account a tenant of its own."""
    account = {
        "email": email,
        "password": plan.keys.owner_password,
        "email_confirm": True,
        "user_metadata": {"business": business},
    }
    try:
        as_server(plan).auth.admin.create_user(account)  # type: ignore[arg-type]
    except AuthApiError as error:
        if error.code != "email_exists":
            raise SeedFailed(f"The account of {business} was not made: {error.message}") from None
    return sign_in(plan, email)


def sign_in(plan: Plan, email: str = OWNER_EMAIL) -> Owner:
    """A fresh session. Raises SeedFailed when the password is not the one of this world's plan."""
    client = _client(plan, environment.overrides(plan)["SUPABASE_PUBLISHABLE_KEY"])
    try:
        session = client.auth.sign_in_with_password({"email": email, "password": plan.keys.owner_password}).session
    except AuthApiError as error:
        raise SeedFailed(f"{email} could not sign in: {error.message}") from None
    if session is None:
        raise SeedFailed(f"{email} could not sign in.")
    [tenant] = cast(list[Row], client.from_("tenants").select("id").execute().data)
    return Owner(tenant["id"], session.access_token)


def second_factor(plan: Plan, owner: Owner) -> Owner:
    """The owner after enrolling an authenticator and giving its code: the session is aal2. Raises SeedFailed."""
    enrolled = _auth(plan, owner, "/factors", {"factor_type": "totp", "friendly_name": "telefono"})
    factor = f"/factors/{enrolled['id']}"
    challenge = _auth(plan, owner, f"{factor}/challenge", {})["id"]
    code = totp.code_at(enrolled["totp"]["secret"], time.time())
    session = _auth(plan, owner, f"{factor}/verify", {"challenge_id": challenge, "code": code})
    return Owner(owner.tenant, session["access_token"])


def sign_out(plan: Plan, owner: Owner) -> None:
    """End the session; its access token stays valid by its signature until it expires. Raises SeedFailed."""
    _auth(plan, owner, "/logout", {})


def upload(plan: Plan, owner: Owner, path: Path) -> None:
    """Give the assistant one file to know, through the function that the console uses. Raises SeedFailed."""
    answer = httpx.post(
        f"{plan.url('gateway')}/app/upload",
        headers={"authorization": f"Bearer {owner.access_token}"},
        json={"tenant": owner.tenant, "name": path.name, "text": path.read_text()},
        timeout=30,
    )
    if answer.status_code != 201:
        raise SeedFailed(f"{path.name} was not taken: {answer.status_code} {answer.text}")


def as_owner(plan: Plan, owner: Owner) -> Client:
    """The database as the owner sees it, row level security on."""
    return _client(plan, environment.overrides(plan)["SUPABASE_PUBLISHABLE_KEY"], f"Bearer {owner.access_token}")


def as_server(plan: Plan) -> Client:
    """The database as the server sees it."""
    secrets = json.loads(environment.secret_parameters(plan)["SUPABASE_SECRET_KEY"])
    return _client(plan, secrets[0]["value"])


def _auth(plan: Plan, owner: Owner, path: str, body: Row) -> Row:
    values = environment.overrides(plan)
    headers = {"apikey": values["SUPABASE_PUBLISHABLE_KEY"], "authorization": f"Bearer {owner.access_token}"}
    answer = httpx.post(f"{values['SUPABASE_URL']}/auth/v1{path}", headers=headers, json=body, timeout=30)
    if not answer.is_success:
        raise SeedFailed(f"{path}: {answer.status_code} {answer.text}")
    return cast(Row, answer.json()) if answer.content else {}


def _client(plan: Plan, key: str, authorization: str | None = None) -> Client:
    headers = {"Authorization": authorization} if authorization else {}
    options = ClientOptions(headers=headers, auto_refresh_token=False, persist_session=False)
    return create_client(environment.overrides(plan)["SUPABASE_URL"], key, options)
