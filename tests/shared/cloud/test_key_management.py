"""Wrapping data keys by moto's KMS and by a local file: what was changed, moved or is not ours does not unwrap."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from local import aws
from shared.cloud.key_management import unwrap, wrap
from shared.errors import Unavailable

KEY = bytes(range(32))
CONTEXT = {"tenant": "6b2f4a1e-0000-4000-8000-000000000001", "purpose": "credentials"}
OTHER_CONTEXTS = [
    {"tenant": "6b2f4a1e-0000-4000-8000-000000000002", "purpose": "credentials"},
    {"tenant": CONTEXT["tenant"], "purpose": "exports"},
    {"tenant": CONTEXT["tenant"]},
    {},
]
NAMES = ("KMS_KEY_ID", "LOCAL_KEY_FILE")

Write = Callable[..., Path]


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(Unavailable) as caught:
        act()
    return caught.value.name


def flipped(wrapped: str) -> Iterator[str]:
    """The wrapped key with one bit of its ciphertext changed, for each byte one."""
    head, _, text = wrapped.rpartition(" ")
    sealed = base64.b64decode(text)
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1 << (place % 8)
        yield f"{head} {base64.b64encode(changed).decode()}"


@pytest.fixture(autouse=True)
def _neither(monkeypatch):
    # Set to nothing, not taken away: a world that runs in this process may answer for a name that is not there.
    for name in NAMES:
        monkeypatch.setenv(name, "")


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    def written(content: object, mode: int = 0o600) -> Path:
        path = tmp_path / "master_keys.json"
        path.touch(mode=0o600)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        path.chmod(mode)
        monkeypatch.setenv("LOCAL_KEY_FILE", str(path))
        return path

    return written


def master_key(number: int = 0, length: int = 32) -> str:
    return base64.b64encode(bytes([number] * length)).decode()


@pytest.fixture
def kms(monkeypatch):
    """Two keys of an empty KMS; the first is ours."""
    with aws.serve() as url:
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_REGION": "sa-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }.items():
            monkeypatch.setenv(name, value)
        client = boto3.Session("local", "local", region_name="sa-east-1").client("kms", endpoint_url=url)
        arns = [client.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
        client.create_alias(AliasName="alias/ours", TargetKeyId=arns[0])
        monkeypatch.setenv("KMS_KEY_ID", arns[0])
        yield arns


def test_the_local_file_wraps_differently_each_time_and_unwraps_the_same(write):
    write([master_key()])
    wrapped = [wrap(KEY, CONTEXT, 1) for _ in range(2)]
    assert wrapped[0] != wrapped[1]
    assert [unwrap(text, CONTEXT, 1) for text in wrapped] == [KEY, KEY]
    assert base64.b64encode(KEY).decode() not in wrapped[0]


def test_another_context_does_not_unwrap_locally(write):
    write([master_key()])
    wrapped = wrap(KEY, CONTEXT, 1)
    for context in OTHER_CONTEXTS:
        assert refusal(lambda context=context: unwrap(wrapped, context, 1)) == "wrapped_key_unreadable"
    assert unwrap(wrapped, dict(reversed(CONTEXT.items())), 1) == KEY


def test_no_changed_bit_unwraps_locally(write):
    write([master_key()])
    wrapped = wrap(KEY, CONTEXT, 1)
    changed = list(flipped(wrapped))
    assert len(changed) == 12 + 32 + 16
    assert {refusal(lambda text=text: unwrap(text, CONTEXT, 1)) for text in changed} == {"wrapped_key_unreadable"}
    assert unwrap(wrapped, CONTEXT, 1) == KEY


def test_the_newest_local_key_wraps_and_each_of_the_list_unwraps(write):
    write([master_key(1)])
    old = wrap(KEY, CONTEXT, 1)
    write([master_key(2), master_key(1)])
    new = wrap(unwrap(old, CONTEXT, 1), CONTEXT, 1)
    assert new.split()[1] != old.split()[1]
    write([master_key(2)])
    assert unwrap(new, CONTEXT, 1) == KEY
    assert refusal(lambda: unwrap(old, CONTEXT, 1)) == "master_key_unknown"


@pytest.mark.parametrize("wrapped", ["", "local1", "local1 0011223344556677 AAAA", "kms1 arn:aws:kms:x AAAA"])
def test_what_names_no_key_of_ours_is_not_tried(write, wrapped):
    write([master_key()])
    assert refusal(lambda: unwrap(wrapped, CONTEXT, 1)) == "master_key_unknown"


def test_a_key_of_another_length_is_no_data_key(write):
    write([master_key()])
    assert refusal(lambda: unwrap(wrap(KEY[:16], CONTEXT, 1), CONTEXT, 1)) == "wrapped_key_unreadable"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666])
def test_a_file_that_others_may_open_is_refused(write, mode):
    path = write([master_key()], mode)
    assert refusal(lambda: wrap(KEY, CONTEXT, 1)) == "local_key_file_readable_by_others"
    path.chmod(0o600)
    wrapped = wrap(KEY, CONTEXT, 1)
    path.chmod(mode)
    assert refusal(lambda: unwrap(wrapped, CONTEXT, 1)) == "local_key_file_readable_by_others"
    path.chmod(0o400)
    assert unwrap(wrapped, CONTEXT, 1) == KEY


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not json",
        "\xff",
        [],
        {},
        {master_key(): 1},
        master_key(),
        7,
        [7],
        [None],
        [""],
        ["!" * 44],
        [master_key(length=31)],
        [master_key(length=33)],
        [master_key(), master_key(length=16)],
    ],
)
def test_a_malformed_file_is_refused_by_name_alone(write, content):
    write(content)
    assert refusal(lambda: wrap(KEY, CONTEXT, 1)) == "local_key_file_malformed"
    write([master_key()])
    assert unwrap(wrap(KEY, CONTEXT, 1), CONTEXT, 1) == KEY


def test_a_missing_file_or_a_folder_is_refused(write, monkeypatch, tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        monkeypatch.setenv("LOCAL_KEY_FILE", str(path))
        assert refusal(lambda: wrap(KEY, CONTEXT, 1)) == "local_key_file_missing"
    write([master_key()])
    assert wrap(KEY, CONTEXT, 1)


def test_without_a_master_key_or_with_two_kinds_nothing_is_done(write, monkeypatch):
    assert refusal(lambda: wrap(KEY, CONTEXT, 1)) == "setting_missing_KMS_KEY_ID"
    assert refusal(lambda: unwrap("local1 x y", CONTEXT, 1)) == "setting_missing_KMS_KEY_ID"
    write([master_key()])
    wrapped = wrap(KEY, CONTEXT, 1)
    monkeypatch.setenv("KMS_KEY_ID", "arn:aws:kms:sa-east-1:123456789012:key/x")
    assert refusal(lambda: wrap(KEY, CONTEXT, 1)) == "setting_conflict_LOCAL_KEY_FILE"
    assert refusal(lambda: unwrap(wrapped, CONTEXT, 1)) == "setting_conflict_LOCAL_KEY_FILE"
    monkeypatch.setenv("KMS_KEY_ID", "")
    assert unwrap(wrapped, CONTEXT, 1) == KEY


def test_kms_wraps_and_unwraps_and_the_key_is_named(kms):
    wrapped = wrap(KEY, CONTEXT, 5)
    assert wrapped.split()[:2] == ["kms1", kms[0]]
    assert unwrap(wrapped, CONTEXT, 5) == KEY
    assert base64.b64encode(KEY).decode() not in wrapped


def test_kms_refuses_another_context_and_a_changed_bit(kms):
    wrapped = wrap(KEY, CONTEXT, 5)
    for context in OTHER_CONTEXTS:
        assert refusal(lambda context=context: unwrap(wrapped, context, 5)) == "kms_refused"
    changed = list(flipped(wrapped))[36:]  # moto writes the name of the key in front
    assert {refusal(lambda text=text: unwrap(text, CONTEXT, 5)) for text in changed} == {"kms_refused"}
    assert unwrap(wrapped, CONTEXT, 5) == KEY


def test_rewrapping_under_a_new_key_of_kms(kms, monkeypatch):
    ours, newer = kms
    old = wrap(KEY, CONTEXT, 5)
    monkeypatch.setenv("KMS_KEY_ID", newer)
    assert refusal(lambda: unwrap(old, CONTEXT, 5)) == "master_key_unknown"
    monkeypatch.setenv("KMS_KEY_ID", f"{newer} {ours}")
    new = wrap(unwrap(old, CONTEXT, 5), CONTEXT, 5)
    assert new.split()[1] == newer
    monkeypatch.setenv("KMS_KEY_ID", newer)
    assert unwrap(new, CONTEXT, 5) == KEY
    # The database says that another key of ours did it: KMS is told which one, and refuses.
    monkeypatch.setenv("KMS_KEY_ID", f"{newer} {ours}")
    assert refusal(lambda: unwrap(new.replace(newer, ours), CONTEXT, 5)) == "kms_refused"


@pytest.mark.parametrize("spelling", ["alias/ours", "bare"])
def test_a_key_by_another_name_than_its_arn_is_refused_before_anything_depends_on_it(kms, monkeypatch, spelling):
    monkeypatch.setenv("KMS_KEY_ID", kms[0].rpartition("/")[2] if spelling == "bare" else spelling)
    assert refusal(lambda: wrap(KEY, CONTEXT, 5)) == "setting_malformed_KMS_KEY_ID"
    monkeypatch.setenv("KMS_KEY_ID", kms[0])
    assert unwrap(wrap(KEY, CONTEXT, 5), CONTEXT, 5) == KEY


def test_without_kms_or_its_leave_the_cause_has_a_name(kms, monkeypatch):
    wrapped = wrap(KEY, CONTEXT, 5)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert refusal(lambda: unwrap(wrapped, CONTEXT, 5)).startswith("upstream_")


def test_an_error_shows_no_key(write):
    write([master_key(7)])
    wrapped = wrap(KEY, CONTEXT, 1)
    with pytest.raises(Unavailable) as caught:
        unwrap(wrapped, {}, 1)
    shown = f"{caught.value!r} {caught.value} {caught.value.body()} {caught.value.args}"
    for secret in (KEY, bytes([7] * 32)):
        assert secret.hex() not in shown
        assert base64.b64encode(secret).decode() not in shown
        assert repr(secret) not in shown
