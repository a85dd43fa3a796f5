"""Credentials of third parties: kept encrypted under a data key of their tenant, opened where they are used.

The data key is in the database too, wrapped by a master key that the database never sees (cloud/key_management.py).
Every call names its tenant. All raise Unavailable when the database or KMS is away or refuses, and
`credential_unreadable` or `wrapped_key_unreadable` when something was changed or moved.
"""

import os
import re
from typing import Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict, TypeAdapter

from shared import clock
from shared.clock import Deadline
from shared.cloud import key_management
from shared.data import encryption
from shared.data.database import call
from shared.data.encryption import Sensitive
from shared.data.failures import row_not_found
from shared.data.store import SealedCredential
from shared.errors import Problem, Unavailable

Name = Literal["access_token"]

# Part of the encryption context; serverless.yml allows decrypting for no other.
PURPOSE = "credentials"
CACHED_KEYS = 256
CACHE_SECONDS = 300
# A credential that is kept during a rotation is found at the next look. Somebody who keeps one all the time is not
# waited for.
MAXIMUM_LOOKS = 5

# It travels in a header. 4,000 characters are 5,380 of ciphertext, of 16,000 that the column takes.
_STORABLE = re.compile(r"[!-~]{1,4000}")


class TenantKey(BaseModel):
    """A version of a tenant's data key, as the database has it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    version: int
    wrapped_key: str


class KeptCredential(BaseModel):
    """A credential, as the database has it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    channel: str
    name: Name
    ciphertext: str
    key_version: int


class Rotated(NamedTuple):
    """What a rotation did: the version of the new key (0: there was no key), and how many it encrypted and dropped."""

    version: int
    encrypted: int
    dropped: int


_keys_adapter = TypeAdapter(list[TenantKey])
_credentials_adapter = TypeAdapter(list[KeptCredential])
_tenants_adapter = TypeAdapter(list[str])

# Unwrapped data keys by tenant and wrapped text, each with the moment of its end in seconds since the epoch. By tenant
# too: a wrapped key that was copied to another tenant must reach KMS, which refuses it.
_cache: dict[tuple[str, str], tuple[bytes, float]] = {}


def keep(tenant: str, channel: str, name: Name, plaintext: Sensitive, deadline: Deadline) -> None:
    """Keep a credential of a channel in place of an earlier one; the tenant's first makes its data key.

    Raises Problem: 422 (`credential_malformed`) unless it is 1 to 4,000 printable ASCII characters without spaces, 404
    (`row_not_found`) when the tenant has no such channel.
    """
    if _STORABLE.fullmatch(plaintext.reveal()) is None:
        raise Problem("credential_malformed", 422, "A credential is a word of printable ASCII characters.")
    tenant, channel = _canonical(tenant), _canonical(channel)
    try:
        _keep(tenant, channel, name, plaintext, deadline)
    except Problem as problem:
        if problem.name != row_not_found().name:
            raise
        # A rotation has dropped the key between our two calls, or the channel is not the tenant's.
        _keep(tenant, channel, name, plaintext, deadline)


def open_sealed(tenant: str, name: Name, sealed: SealedCredential, deadline: Deadline) -> Sensitive:
    """The credential in what a claim returns."""
    tenant = _canonical(tenant)
    key = _unwrapped(tenant, sealed.wrapped_key, deadline)
    place = encryption.associated(tenant, sealed.channel, name, sealed.key_version)
    return encryption.decrypt(sealed.ciphertext, key, place)


def kept(tenant: str, deadline: Deadline) -> list[KeptCredential]:
    """All credentials of a tenant, still encrypted, by channel and name."""
    return _credentials_adapter.validate_python(call("credentials", {"p_tenant": tenant}, deadline))


def tenants(after: str | None, limit: int, deadline: Deadline) -> list[str]:
    """`limit` (at most 1,000) tenants that have data keys, by id, from behind `after` on."""
    return _tenants_adapter.validate_python(call("tenants_with_keys", {"p_after": after, "p_limit": limit}, deadline))


def rotate(tenant: str, deadline: Deadline) -> Rotated:
    """Make a new data key, encrypt the tenant's credentials under it, drop the keys that encrypt nothing any more.

    Until the last step every credential opens. Interrupted, it is run again: that makes one more key, moves everything
    there and drops the half-used one. A credential that somebody keeps meanwhile wins. Raises Unavailable
    (`rotation_overtaken`) when that does not end.
    """
    tenant = _canonical(tenant)
    keys = _keys(tenant, deadline)
    if not keys:
        return Rotated(0, 0, 0)
    newest = _make_key(tenant, keys[0].version + 1, deadline)
    encrypted = 0
    for _ in range(MAXIMUM_LOOKS):
        behind = [credential for credential in kept(tenant, deadline) if credential.key_version < newest.version]
        if not behind:
            arguments = {"p_tenant": tenant, "p_below": newest.version}
            return Rotated(newest.version, encrypted, int(call("drop_tenant_keys", arguments, deadline)))
        wrapped = {key.version: key.wrapped_key for key in _keys(tenant, deadline)}
        # One whose key has gone was encrypted anew by somebody else; the next look shows it.
        found = [credential for credential in behind if credential.key_version in wrapped]
        encrypted += sum(
            _encrypt_anew(tenant, credential, wrapped[credential.key_version], newest, deadline) for credential in found
        )
    raise Unavailable("rotation_overtaken")


def rewrap(tenant: str, deadline: Deadline) -> int:
    """Wrap the tenant's data keys by the newest master key, after that has changed; how many. Credentials stay."""
    tenant = _canonical(tenant)
    count = 0
    for key in _keys(tenant, deadline):
        wrapped = key_management.wrap(
            key_management.unwrap(key.wrapped_key, _context(tenant), deadline.remaining()),
            _context(tenant),
            deadline.remaining(),
        )
        arguments = {
            "p_tenant": tenant,
            "p_version": key.version,
            "p_was": key.wrapped_key,
            "p_wrapped_key": wrapped,
        }
        count += bool(call("rewrap_tenant_key", arguments, deadline))
    return count


def forget() -> None:
    """Drop the unwrapped keys of this process."""
    _cache.clear()


def _keep(tenant: str, channel: str, name: Name, plaintext: Sensitive, deadline: Deadline) -> None:
    keys = _keys(tenant, deadline)
    newest = keys[0] if keys else _make_key(tenant, 1, deadline)
    place = encryption.associated(tenant, channel, name, newest.version)
    arguments = {
        "p_tenant": tenant,
        "p_channel": channel,
        "p_name": name,
        "p_ciphertext": encryption.encrypt(plaintext, _unwrapped(tenant, newest.wrapped_key, deadline), place),
        "p_key_version": newest.version,
    }
    call("keep_credential", arguments, deadline)


def _encrypt_anew(tenant: str, old: KeptCredential, wrapped: str, newest: TenantKey, deadline: Deadline) -> bool:
    """Whether it was still as we read it."""
    sealed = SealedCredential(
        channel=old.channel, ciphertext=old.ciphertext, key_version=old.key_version, wrapped_key=wrapped
    )
    plaintext = open_sealed(tenant, old.name, sealed, deadline)
    place = encryption.associated(tenant, old.channel, old.name, newest.version)
    arguments = {
        "p_tenant": tenant,
        "p_channel": old.channel,
        "p_name": old.name,
        "p_was": old.ciphertext,
        "p_ciphertext": encryption.encrypt(plaintext, _unwrapped(tenant, newest.wrapped_key, deadline), place),
        "p_key_version": newest.version,
    }
    return bool(call("reencrypt_credential", arguments, deadline))


def _keys(tenant: str, deadline: Deadline) -> list[TenantKey]:
    """Newest first."""
    return _keys_adapter.validate_python(call("tenant_keys", {"p_tenant": tenant}, deadline))


def _make_key(tenant: str, version: int, deadline: Deadline) -> TenantKey:
    """A new version of the data key, or the one that somebody else made of this version a moment before.

    It is not put into the cache: what was kept has to prove that it can be unwrapped before it encrypts anything.
    """
    key = os.urandom(key_management.DATA_KEY_BYTES)
    arguments = {
        "p_tenant": tenant,
        "p_version": version,
        "p_wrapped_key": key_management.wrap(key, _context(tenant), deadline.remaining()),
    }
    return TenantKey.model_validate(call("keep_tenant_key", arguments, deadline))


def _unwrapped(tenant: str, wrapped: str, deadline: Deadline) -> bytes:
    now = clock.now()
    found = _cache.get((tenant, wrapped))
    if found and found[1] > now:
        return found[0]
    key = key_management.unwrap(wrapped, _context(tenant), deadline.remaining())
    for old in [old for old, (_, ends) in list(_cache.items()) if ends <= now]:
        _cache.pop(old, None)
    while len(_cache) >= CACHED_KEYS:
        _cache.pop(next(iter(_cache)), None)
    _cache[tenant, wrapped] = (key, now + CACHE_SECONDS)
    return key


def _context(tenant: str) -> dict[str, str]:
    return {"tenant": tenant, "purpose": PURPOSE}


def _canonical(identifier: str) -> str:
    """As the database writes it: what one spelling of an id encrypts, another has to open. Raises ValueError."""
    return str(UUID(identifier))
