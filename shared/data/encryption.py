"""Encrypting one short text under a data key, bound to its place. AES-256-GCM.

The text format is `v1.<base64url of nonce, ciphertext and tag>`, without padding. What the text is bound to (tenant,
column, channel, name, version of the key) is associated data: it is not in the text, and a text that was moved to
another place does not open there.
"""

import base64
import json
import os
from typing import NoReturn, SupportsIndex

from shared.errors import Unavailable

FORMAT = "v1."
NONCE_BYTES = 12


class Sensitive:
    """A text that no log, report or dump can show: whoever needs it says `reveal()`, which a reader can search for."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: for the header or the cipher that needs it, never for a variable that lives on."""
        return self._text

    def __repr__(self) -> str:
        """What str(), format() and a log line show, too."""
        return "[redacted]"

    def __format__(self, form: str) -> str:
        """The same for every form."""
        return repr(self)

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Copies and pickles would carry the text to where nobody looks after it. Raises TypeError."""
        raise TypeError("a sensitive text is neither copied nor pickled")


def associated(tenant: str, channel: str, name: str, key_version: int) -> bytes:
    """The place of a credential: a JSON list, so that no two places read the same. Ids as the database writes them."""
    return json.dumps(["portero", 1, tenant, "credentials.ciphertext", channel, name, key_version]).encode()


def encrypt(plaintext: Sensitive, key: bytes, place: bytes) -> str:
    """`plaintext` under `key` (32 bytes), bound to `place`; different at every call.

    The nonce is 96 random bits. NIST SP 800-38D (8.3) allows 2^32 encryptions under one key then; a tenant's key sees
    one for each credential that is connected or rotated.
    """
    # Imported here: whoever sends with the platform's own token never needs it.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, plaintext.reveal().encode(), place)
    return FORMAT + _written(sealed)


def decrypt(text: str, key: bytes, place: bytes) -> Sensitive:
    """What `encrypt` was given.

    Raises Unavailable (`credential_unreadable`) for every cause alike: another format, another place, another key, a
    changed bit.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        sealed = _read(text)
        return Sensitive(AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place).decode())
    except (ValueError, InvalidTag):
        raise Unavailable("credential_unreadable") from None


def _written(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _read(text: str) -> bytes:
    """Raises ValueError."""
    written = text.removeprefix(FORMAT)
    sealed = base64.urlsafe_b64decode(written + "=" * (-len(written) % 4))
    # The decoder skips foreign characters and the unused bits at the end: only one spelling is ours.
    if FORMAT + _written(sealed) != text:
        raise ValueError
    return sealed
