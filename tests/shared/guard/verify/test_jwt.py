"""Access tokens against a key set of our own; nobody fetches anything."""

import base64
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.utils import base64url_encode

from shared.cloud import transport
from shared.cloud.transport import Answer
from shared.errors import Refused
from shared.guard.verify import jwt as verifier
from shared.guard.verify.signing_keys import SigningKeys
from shared.settings import Setting

ISSUER = "https://project.example/auth/v1"
DOMAIN = "https://auth.shop.example/auth/v1"
NOW = 1_800_000_000
DAY = 24 * 3600
USER = "6f1d5a3e-8d3c-4f0e-9a51-7c1f6f0c2a10"
SESSION = "0b8f3f0a-1d53-4a9e-8f6e-2f6f1f1a7c55"
SHARED_SECRET = "the project's shared secret of at least 32 bytes"
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CLAIMS = {
    "iss": ISSUER,
    "aud": "authenticated",
    "exp": NOW + 3600,
    "iat": NOW,
    "sub": USER,
    "role": "authenticated",
    "session_id": SESSION,
    "is_anonymous": False,
    "aal": "aal1",
    "amr": [{"method": "password", "timestamp": NOW}],
}
PUBLIC_JWK = json.loads(ECAlgorithm.to_jwk(KEY.public_key()))
PUBLISHED = [
    PUBLIC_JWK | {"kid": "one", "alg": "ES256", "use": "sig"},
    json.loads(RSAAlgorithm.to_jwk(RSA_KEY.public_key())) | {"kid": "rsa", "alg": "RS256", "use": "sig"},
]


class Keys(SigningKeys):
    """The published keys, without a network; `asked` counts."""

    def __init__(self) -> None:
        super().__init__("https://project.example/auth/v1/.well-known/jwks.json")
        self.asked: list[str] = []

    def find(self, name: str, now: float) -> jwt.PyJWK:
        self.asked.append(name)
        return super().find(name, now)


@pytest.fixture(autouse=True)
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were fetched: only that of the keys is answered."""
    addresses: list[str] = []

    def send(
        to: Setting, method: str, url: str, headers: dict[str, str], body: bytes, seconds: float, *, max_bytes: int
    ) -> Answer:
        assert to is Setting.SUPABASE_URL
        addresses.append(url)
        return Answer(200, json.dumps({"keys": PUBLISHED}).encode())

    monkeypatch.setattr(transport, "send", send)
    return addresses


def token(
    key: Any = KEY, algorithm: str = "ES256", headers: dict[str, Any] | None = None, kid: str = "one", **change: object
) -> str:
    claims = {name: value for name, value in (CLAIMS | change).items() if value is not ...}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid} | (headers or {}))


def verify(text: str, now: float = NOW, **options: Any) -> verifier.Token:
    return verifier.verify_token(f"Bearer {text}", [ISSUER, DOMAIN], Keys(), now, **options)


def refusal(text: str, **options: Any) -> str:
    with pytest.raises(Refused) as caught:
        verify(text, **options)
    assert (caught.value.status, caught.value.detail) == (401, "")
    return caught.value.name


def segment(value: object) -> str:
    return base64url_encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode()


def test_a_good_token_is_taken_and_shows_nothing_of_itself():
    found = verify(token())
    assert (found.claims["sub"], found.claims["session_id"], found.place) == (USER, SESSION, 0)
    assert repr(found) == "Token(...)"


def test_both_algorithms_and_every_issuer_of_the_list_are_taken():
    assert verify(token(RSA_KEY, "RS256", kid="rsa"))
    assert verify(token(iss=DOMAIN))
    assert verify(token(aud=["other", "authenticated"]))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"exp": NOW - 30}, "token_expired"),
        ({"iat": NOW + 31}, "token_early"),
        ({"iat": NOW + 31, "nbf": NOW}, "token_early"),
        ({"nbf": NOW + 31}, "token_early"),
        ({"exp": NOW + DAY + 31}, "token_lifetime"),
        ({"iat": NOW - 7 * DAY}, "token_lifetime"),
        ({"exp": "soon"}, "token_time"),
        ({"exp": True}, "token_time"),
        ({"exp": float("inf")}, "token_invalid"),
        ({"exp": float("nan")}, "token_invalid"),
        ({"exp": 10**400}, "token_invalid"),
        ({"iat": float("nan")}, "token_invalid"),
        ({"iat": -1}, "token_time"),
        ({"nbf": None}, "token_time"),
        ({"iss": "https://other.example/auth/v1"}, "token_issuer"),
        ({"iss": "https://project.example/auth"}, "token_issuer"),
        ({"iss": "supabase"}, "token_issuer"),
        ({"aud": "anon"}, "token_audience"),
        ({"aud": "authenticated2"}, "token_audience"),
        ({"aud": []}, "token_audience"),
        ({"aud": ...}, "token_claim_missing"),
        ({"iss": ...}, "token_claim_missing"),
        ({"exp": ...}, "token_claim_missing"),
        ({"iat": ...}, "token_claim_missing"),
        ({"sub": ...}, "token_claim_missing"),
        ({"role": "service_role"}, "token_role"),
        ({"role": "anon"}, "token_role"),
        ({"role": ...}, "token_role"),
        ({"is_anonymous": True}, "token_anonymous"),
        ({"is_anonymous": 0}, "token_anonymous"),
        ({"is_anonymous": ...}, "token_anonymous"),
        ({"client_id": "somebody's app"}, "token_client"),
        ({"client_id": None}, "token_client"),
        ({"session_id": ...}, "token_subject"),
        ({"session_id": SESSION.upper()}, "token_subject"),
        ({"session_id": f"{SESSION}\n"}, "token_subject"),
        ({"sub": "not-a-uuid"}, "token_subject"),
    ],
)
def test_a_token_that_is_wrong_in_one_claim_is_refused(change, name):
    assert verify(token())
    assert refusal(token(**change)) == name


@pytest.mark.parametrize(
    "change", [{"exp": NOW - 29}, {"iat": NOW + 30}, {"nbf": NOW + 30}, {"exp": NOW + DAY + 30}, {"nbf": NOW}]
)
def test_clocks_may_differ_by_half_a_minute(change):
    assert verify(token(**change))


def unsigned() -> str:
    return jwt.encode(CLAIMS, None, algorithm="none", headers={"kid": "one"})


def signed_with(secret: bytes, algorithm: str = "HS256", **headers: object) -> str:
    """By hand, since PyJWT will not sign with a public key."""
    parts = ".".join([segment({"alg": algorithm, "kid": "one"} | headers), segment(CLAIMS)])
    return f"{parts}.{segment(hmac.digest(secret, parts.encode(), 'sha256'))}"


NOT_A_NUMBER = b'{"alg": NaN}'
TWO_KEYS = b'{"alg": "ES256", "kid": "one", "kid": "two"}'


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "token_malformed"),
        (" ", "token_malformed"),
        ("a.b", "token_malformed"),
        ("a.b.c", "token_malformed"),
        ("a.b.c.d", "token_malformed"),
        (f"{token()}, Bearer {token()}", "token_malformed"),
        (f"{token()} ", "token_malformed"),
        (f"{token()}=", "token_malformed"),
        ("ü.b.c", "token_malformed"),
        (f"{segment(['alg'])}.b.c", "token_malformed"),
        (f"{segment(b'[' * 9000)}.b.c", "token_malformed"),
        (f"{segment(NOT_A_NUMBER)}.b.c", "token_malformed"),
        (f"{segment(TWO_KEYS)}.b.c", "token_malformed"),
        (token(OTHER_KEY), "token_signature"),
        (token()[:-4] + "AAAA", "token_signature"),
        (token().rpartition(".")[0] + ".", "token_signature"),
        (token(RSA_KEY, "RS256"), "token_algorithm"),
        (token(kid="two"), "token_key_unknown"),
        (signed_with(b"", "ES256", kid=None), "token_algorithm"),
        (signed_with(b"", "ES256", kid=["one"]), "token_algorithm"),
        (unsigned(), "token_algorithm"),
        (signed_with(json.dumps(PUBLIC_JWK).encode()), "token_algorithm"),
        (signed_with(SHARED_SECRET.encode()), "token_algorithm"),
        (signed_with(b"", "none"), "token_algorithm"),
        (signed_with(b"", "ES256"), "token_signature"),
        (signed_with(b"", "PS256"), "token_algorithm"),
        (signed_with(b"", "es256"), "token_algorithm"),
        (token(headers={"crit": ["exp"], "exp": 1}), "token_critical"),
        (token(headers={"crit": []}), "token_critical"),
        (signed_with(b"", "ES256", b64=False), "token_critical"),
    ],
)
def test_a_token_that_is_not_ours_is_refused(text, name):
    assert verify(token())
    assert refusal(text) == name


@pytest.mark.parametrize("authorization", ["", "bearer x", "Basic x", "Bearer", f"Bearer\t{token()}", token()])
def test_nothing_but_a_bearer_is_read(authorization):
    with pytest.raises(Refused) as caught:
        verifier.verify_token(authorization, [ISSUER], Keys(), NOW)
    assert caught.value.name == "token_missing"


@pytest.mark.parametrize("header", ["jku", "x5u", "jwk", "x5c"])
def test_a_token_does_not_say_where_its_key_is(header, fetched):
    own = json.loads(ECAlgorithm.to_jwk(OTHER_KEY.public_key()))
    value = {"jku": "https://evil.example/jwks.json", "x5u": "https://evil.example/x", "jwk": own, "x5c": ["MIIB"]}
    forged = {header: value[header]}
    assert verify(token())
    assert refusal(token(OTHER_KEY, headers=forged)) == "token_signature"
    assert refusal(token(OTHER_KEY, kid="evil", headers=forged)) == "token_key_unknown"
    assert {address.split("/")[2] for address in fetched} == {"project.example"}
    # It is ignored, not trusted: with the right signature it does no harm.
    assert verify(token(headers=forged))


def test_a_forged_key_name_is_the_only_thing_that_asks_for_keys():
    keys = Keys()
    for text in ("a.b.c", unsigned(), signed_with(SHARED_SECRET.encode())):
        with pytest.raises(Refused):
            verifier.verify_token(f"Bearer {text}", [ISSUER], keys, NOW)
    assert keys.asked == []


def test_the_shared_secret_of_old_counts_only_where_it_is_said_so():
    old = token(SHARED_SECRET, "HS256")
    assert refusal(old) == "token_algorithm"
    found = verify(old, shared_secrets=[SHARED_SECRET])
    assert (found.claims["sub"], found.place) == (USER, 0)
    newer = "a newer secret, which is as long as the other one"
    assert verify(old, shared_secrets=[newer, SHARED_SECRET]).place == 1
    assert refusal(old, shared_secrets=[newer]) == "token_signature"
    assert refusal(token(SHARED_SECRET, "HS256", exp=NOW - 30), shared_secrets=[SHARED_SECRET]) == "token_expired"
    assert refusal(token(SHARED_SECRET, "HS256", aud="anon"), shared_secrets=[SHARED_SECRET]) == "token_audience"
    assert refusal(token(SHARED_SECRET, "HS256", iss="supabase"), shared_secrets=[SHARED_SECRET]) == "token_issuer"
    # The keys of old are tokens of the same secret, of nobody's session.
    anon = token(SHARED_SECRET, "HS256", iss="supabase", role="anon", sub=..., aud=..., session_id=...)
    assert refusal(anon, shared_secrets=[SHARED_SECRET]) == "token_claim_missing"
    # Published keys still do, and a short secret, which can be guessed, does not.
    assert verify(token(), shared_secrets=[SHARED_SECRET])
    assert refusal(signed_with(b"short"), shared_secrets=["short"]) == "token_invalid"
    assert refusal(token(SHARED_SECRET, "HS256"), shared_secrets=[""]) == "token_invalid"


@pytest.mark.parametrize("level", ["aal1", "AAL2", "", None, True, ["aal2"], ...])
def test_the_second_factor_is_asked_for_by_name(level):
    verifier.require_second_factor({"aal": "aal2"})
    with pytest.raises(Refused) as caught:
        verifier.require_second_factor({} if level is ... else {"aal": level})
    assert (caught.value.name, caught.value.status) == ("second_factor_missing", 401)
    assert caught.value.detail == "Second factor needed."


def totp(moment: object) -> dict[str, object]:
    return {"method": "totp", "timestamp": moment}


@pytest.mark.parametrize(
    "methods",
    [
        [totp(NOW)],
        [totp(NOW - 300)],
        [totp(NOW + 30)],
        [totp(NOW - 300.0)],
        [{"method": "password", "timestamp": NOW}, totp(NOW - 10)],
        [totp(NOW - 5000), totp(NOW - 10)],
        [None, "totp", totp("x"), totp(NOW)],
    ],
)
def test_a_code_that_was_given_just_now_counts_wherever_it_stands(methods):
    verifier.require_fresh_totp({"amr": methods}, 300, NOW)


@pytest.mark.parametrize(
    "methods",
    [
        [totp(NOW - 301)],
        [totp(NOW + 31)],
        [totp(NOW + 31), totp(NOW)],
        [{"method": "password", "timestamp": NOW}, totp(NOW - 301)],
        [{"method": "password", "timestamp": NOW}],
        [{"method": "otp", "timestamp": NOW}],
        [{"method": ["totp"], "timestamp": NOW}],
        [totp(None)],
        [totp(True)],
        [totp(str(NOW))],
        [totp(float("nan"))],
        [totp(float("inf"))],
        ["totp"],
        [],
        "totp",
        {"totp": NOW},
        None,
        ...,
    ],
)
def test_a_code_that_is_old_from_the_future_or_none_does_not(methods):
    verifier.require_fresh_totp({"amr": [totp(NOW)]}, 300, NOW)
    with pytest.raises(Refused) as caught:
        verifier.require_fresh_totp({} if methods is ... else {"amr": methods}, 300, NOW)
    assert (caught.value.name, caught.value.detail) == ("second_factor_stale", "Second factor needed.")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
SENSIBLE = st.sampled_from([NOW, NOW + 60, ISSUER, "authenticated", USER, False, "aal2", [totp(NOW)]])


@given(st.text())
def test_arbitrary_text_is_refused(text):
    with pytest.raises(Refused):
        verify(text)


@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk"]), SENSIBLE | VALUES), st.binary(), st.binary()
)
def test_an_arbitrary_header_is_refused(header, payload, signature):
    with pytest.raises(Refused):
        verify(f"{segment(header)}.{segment(payload)}.{segment(signature)}")


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from([*CLAIMS, "nbf", "client_id", "jti"]), SENSIBLE | VALUES))
def test_arbitrary_claims_under_the_right_signature_never_break_it(changes):
    signing_input = f"{segment({'alg': 'ES256', 'kid': 'one'})}.{segment(CLAIMS | changes)}"
    signature = jwt.get_algorithm_by_name("ES256").sign(signing_input.encode(), KEY)
    try:
        claims = verify(f"{signing_input}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}").claims
        assert (claims["aud"], claims["role"], claims["is_anonymous"]) in [("authenticated", "authenticated", False)]
        assert NOW - 30 < claims["exp"] <= claims["iat"] + DAY + 30
        verifier.require_second_factor(claims)
        verifier.require_fresh_totp(claims, 300, NOW)
    except Refused:
        return


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"exp":' + b"9" * 5000 + b"}"])
def test_what_is_no_object_of_claims_is_refused_under_the_right_signature_too(payload):
    signing_input = f"{segment({'alg': 'ES256', 'kid': 'one'})}.{segment(payload) or 'AA'}"
    signature = jwt.get_algorithm_by_name("ES256").sign(signing_input.encode(), KEY)
    assert refusal(f"{signing_input}.{segment(signature)}") in {"token_invalid", "token_claim_missing"}
