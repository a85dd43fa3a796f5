"""Wrapping data keys: with AWS KMS, or in the offline world with the keys of a local file.

A wrapped key is three words: what wrapped it, which master key, and base64.

    kms1 arn:aws:kms:sa-east-1:123456789012:key/... <KMS's ciphertext>
    local1 <16 hexadecimal digits of the key's hash> <nonce, ciphertext and tag of AES-256-GCM>

So a query tells which master keys are still in use. Master keys are a list, newest first, as secrets are: the first
wraps, each unwraps what names it, and a name that is not in the list is never tried: whoever can write into the
database must not choose the key.
"""

import base64
import hashlib
import json
import os
import re
import stat
from typing import Any

from shared.cloud import aws
from shared.errors import Unavailable
from shared.settings import Setting, read, read_list, read_optional

DATA_KEY_BYTES = 32
MAXIMUM_SECONDS = 2.0

_NONCE_BYTES = 12
_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+")
_ANYBODY_ELSE = stat.S_IRWXG | stat.S_IRWXO


def wrap(key: bytes, context: dict[str, str], seconds: float) -> str:
    """The data key (32 bytes) wrapped by the newest master key. `context` names its use, and unwrapping needs it again.

    Raises Unavailable: `setting_missing_KMS_KEY_ID`, `setting_conflict_LOCAL_KEY_FILE`, `setting_malformed_KMS_KEY_ID`
    (no ARN of a key), `local_key_file_<missing, malformed, readable_by_others>`, `kms_refused`, `kms_malformed`,
    `upstream_...`.
    """
    if arns := _kms_arns():
        return _wrap_by_kms(key, arns[0], context, seconds)
    return _wrap_locally(key, context)


def unwrap(wrapped: str, context: dict[str, str], seconds: float) -> bytes:
    """The data key (32 bytes) in `wrapped`, within `seconds`.

    Raises Unavailable as `wrap` does, and: `master_key_unknown` when it names a key that is not ours (any more),
    `wrapped_key_unreadable` when it was changed or belongs to another context. KMS says `kms_refused` for the latter.
    """
    kind, _, rest = wrapped.partition(" ")
    name, _, text = rest.partition(" ")
    if arns := _kms_arns():
        if kind != "kms1" or name not in arns:
            raise Unavailable("master_key_unknown")
        key = _unwrap_by_kms(text, name, context, seconds)
    else:
        key = _unwrap_locally(kind, name, text, context)
    if len(key) != DATA_KEY_BYTES:
        raise Unavailable("wrapped_key_unreadable")
    return key


def _kms_arns() -> list[str]:
    """Empty when the local file is meant."""
    arns, file = list(read_list(Setting.KMS_KEY_ID, _ARN.fullmatch)), read_optional(Setting.LOCAL_KEY_FILE)
    if arns and file:
        # A file of keys beside KMS is a mistake in a deployment, and guessing which was meant could wrap with it.
        raise Unavailable(f"setting_conflict_{Setting.LOCAL_KEY_FILE}")
    if not arns and not file:
        raise Unavailable(f"setting_missing_{Setting.KMS_KEY_ID}")
    return arns


def _wrap_by_kms(key: bytes, arn: str, context: dict[str, str], seconds: float) -> str:
    answer = _ask_kms(
        "Encrypt", {"KeyId": arn, "Plaintext": base64.b64encode(key).decode(), "EncryptionContext": context}, seconds
    )
    if not isinstance(answer.get("CiphertextBlob"), str):
        raise Unavailable("kms_malformed")
    if answer.get("KeyId") != arn:
        # An alias or a bare id: what is wrapped now could not be found again in the list of ARNs.
        raise Unavailable(f"setting_malformed_{Setting.KMS_KEY_ID}")
    return f"kms1 {arn} {answer['CiphertextBlob']}"


def _unwrap_by_kms(text: str, arn: str, context: dict[str, str], seconds: float) -> bytes:
    # The ciphertext names its key by itself; with KeyId, KMS refuses another one.
    answer = _ask_kms("Decrypt", {"KeyId": arn, "CiphertextBlob": text, "EncryptionContext": context}, seconds)
    try:
        return base64.b64decode(answer["Plaintext"], validate=True)
    except (KeyError, TypeError, ValueError):
        raise Unavailable("kms_malformed") from None


def _ask_kms(action: str, body: dict[str, object], seconds: float) -> dict[str, Any]:
    url = aws.endpoint("kms") + "/"
    return aws.call_json("kms", url, f"TrentService.{action}", "1.1", body, min(MAXIMUM_SECONDS, seconds))


def _wrap_locally(key: bytes, context: dict[str, str]) -> str:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    name, master_key = next(iter(_local_keys().items()))
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + AESGCM(master_key).encrypt(nonce, key, _associated(context))
    return f"local1 {name} {base64.b64encode(sealed).decode()}"


def _unwrap_locally(kind: str, name: str, text: str, context: dict[str, str]) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    keys = _local_keys()
    if kind != "local1" or name not in keys:
        raise Unavailable("master_key_unknown")
    try:
        sealed = base64.b64decode(text, validate=True)
        return AESGCM(keys[name]).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _associated(context))
    except (ValueError, InvalidTag):
        raise Unavailable("wrapped_key_unreadable") from None


def _local_keys() -> dict[str, bytes]:
    """By name, newest first. The file is a JSON list of base64 texts of 32 bytes each, for its owner's eyes only."""
    try:
        with open(read(Setting.LOCAL_KEY_FILE), "rb") as file:
            if os.fstat(file.fileno()).st_mode & _ANYBODY_ELSE:
                raise Unavailable("local_key_file_readable_by_others")
            texts = json.loads(file.read())
        keys = [base64.b64decode(text, validate=True) for text in texts]
    except OSError:
        raise Unavailable("local_key_file_missing") from None
    except (ValueError, TypeError):
        raise Unavailable("local_key_file_malformed") from None
    if not isinstance(texts, list) or not keys or any(len(key) != DATA_KEY_BYTES for key in keys):
        raise Unavailable("local_key_file_malformed")
    return {hashlib.sha256(b"portero master key " + key).hexdigest()[:16]: key for key in keys}


def _associated(context: dict[str, str]) -> bytes:
    return json.dumps(["portero", 1, "data key", sorted(context.items())]).encode()
