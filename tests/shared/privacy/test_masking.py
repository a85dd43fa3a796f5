"""Every class in its notations, everything that must stay, and what hostile texts may cost."""

import json
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.privacy import mask_pii, redact, scrub
from shared.privacy.masking import LONGEST

PHONES = """
+5491155550101
+54 9 11 5555-0101
+54 (9) 11 5555 0101
54 9 11 5555-0101
5491155550101
541155550101
0054 9 11 5555 0101
00549 1155550101
(011) 4555-0101
011 15 5555-0101
0351 15 555 0101
11 5555-0101
+55 (11) 9 8765-4321
5511987654321
551187654321
11987654321
(11)987654321
11 98765-4321
+52 1 55 1234 5678
5215512345678
525512345678
55 1234 5678
+56 9 8765 4321
56987654321
569 8765 4321
9 8765 4321
+57 300 123 4567
573001234567
300-123-4567
+51 987 654 321
51987654321
+593 99 123 4567
0991234567
+591 71234567
+595 981 123456
0981 123 456
+598 99 123 456
59899123456
+58 414-1234567
0414 123 45 67
+506 8888 8888
+1 (809) 555-0101
1-809-555-0101
34612345678
+351 912 345 678
447700900123
+54\u00a09\u00a011\u00a05555\u20110101
+55 11 98765\u20134321
\uff0b\uff15\uff14\uff19\uff11\uff11\uff15\uff15\uff15\uff15\uff10\uff11\uff10\uff11
+\u0665\u0664\u0669\u0661\u0661\u0665\u0665\u0665\u0665\u0660\u0661\u0660\u0661
\u202a+54 9 11 5555-0101\u202c
\\u202a+54 9 11 5555-0101\\u202c
54911\u200b5555\u200c0101
%2B54%209%2011%205555-0101
%252B5491155550101
%2B54+9+11+5555-0101
&#43;5491155550101
https://wa.me/5491155550101
https://api.whatsapp.com/send?phone=5491155550101
tel:+54-11-5555-0101
tel:1155550101
whatsapp:+5215512345678
5491155550101.0
5491155550101@s.whatsapp.net
5491155550101:12@s.whatsapp.net
5491155550101@c.us
5491155550101-1612345678@g.us
uploads/5491155550101/audio.ogg
lock:5491155550101:x
""".strip().splitlines()

OTHER_PERSONAL = """
123456789012345@lid
BR.13491208655302741918
AR.1ab2Cd3Ef4Gh5
ana.souza+loja@exemplo.com.br
ANA@EXEMPLO.COM.BR
"ana souza"@exemplo.com
ana%40exemplo.com
ana%2540exemplo.com
mu\\u00f1oz@exemplo.com
jos\\xe9@exemplo.com
jos\\xc3\\xa9@exemplo.com
ana@xn--pea-hnos-j3a.com.ar
ana@peña-hnos.com.ar
josé@peña.com.ar
ana&#64;exemplo.com
111.444.777-35
11144477735
111444777-35
11.222.333/0001-81
11222333000181
12.ABC.345/01DE-35
12ABC34501DE35
20-12345678-6
20123456786
DNI 12345678
DNI: 12.345.678
documento: 12345678
dni%3A%2012345678
12.345.678-5
12345678-5
GOMC900514HDFRRS09
GOMC900514AB1
ABC900514AB1
4111 1111 1111 1111
4111111111111111
5555-5555-5555-4444
378282246310005
203.0.113.5
http://203.0.113.5:8080/x
2001:db8:85a3::8a2e:370:7334
2001:0db8:85a3:0000:0000:8a2e:0370:7334
cliente:2800:a4:1::9
""".strip().splitlines()

SECRETS = [
    "sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz",
    "sbp_" + "0a" * 20,
    "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
    "EAAL" + "b1c2" * 25,
    "EAAZ" + "b1c2" * 60,
    "1234567890123456|AbCdEfGhIjKlMnOpQrStUvWxYz0",
    "APP_USR-1234567890123456-112233-" + "0a" * 16 + "-123456789",
    "TEST-1234567890123456-112233-" + "0a" * 16 + "__LA_LD__-123456789",
    "APP_USR-6f1d5a3e-8d3c-4f0e-9a51-7c1f6f0c2a10",
    "pdl_sdbx_apikey_01gtgztp8f4kek3yd4g1wrksa3_q6TGTJyvoIz7LDtXT65bX7_AQO",
    "pdl_ntfset_01gkpjp8bkm3tm53kdgkx6sms7_6h3qd3uFSi9YCD3OLYAShQI90XTI+/aB",
    "eyJVc2VySUQiOiI2ZjFkNWEzZSIsIlBhc3N3b3JkIjoiN2MxZjZmMGMyYTEwIn0=",
    "sig_" + "aB3" * 9,
    "AKIAIOSFODNN7EXAMPLE",
    "IQoJb3JpZ2luX2VjE" + "aB3/" * 40 + "==",
    "sk-proj-abcdefghijklmnopqrstuvwxyz",
    "sk-" + "aB3d" * 5 + "T3BlbkFJ" + "aB3d" * 5,
    "sk-ant-api03-" + "aB3-" * 23 + "AA",
    "sk_live_" + "aB3d" * 6,
    "whsec_" + "aB3d" * 8,
    "AIza" + "aB3-d" * 7,
    "GOCSPX-" + "aB3d" * 7,
    "ya29." + "aB3d" * 12,
    "ghp_" + "aB3d" * 9,
    "github_pat_" + "aB3d" * 20,
    "xoxb-123456789012-123456789012-" + "aB3d" * 6,
    "SK" + "0a" * 16,
    "SG." + "aB3d" * 5 + "ab." + "aB3d" * 10 + "abc",
    "re_aB3daB3d_" + "aB3d" * 6,
    "sntryu_" + "0a" * 32,
]

# What must not be seen, and how it is written.
IN_CONTEXT = [
    ("S3cr3t", "postgresql://portero:S3cr3t!x@db:5432/x"),
    ("S3cr3t", "rediss://default:S3cr3tx@eu1-x.upstash.io:6379"),
    ("0a0a0a0a", "https://" + "0a" * 16 + "@o1.ingest.us.sentry.io/2"),
    ("XXXXXXXX", "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXX"),
    ("AAaB3", "https://api.telegram.org/bot1234567890:AA" + "aB3" * 11 + "/sendMessage"),
    ("MIIEvQ", "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----"),
    ("MIIEvQ", "-----BEGIN RSA PRIVATE KEY-----\\nMIIEvQ" + "aB3d" * 15 + "\\nMIIEvQ" + "aB3d" * 15),
    ("hunter", "password=hunter2"),
    ("hunter", "password: hunter2"),
    ("hunter", "{'password': 'hunter2'}"),
    ("ter2", '{"password":"hun ter2"}'),
    ("b c", '{"password": "a\\"b c"}'),
    ("hunter", '{"body": "{\\"password\\": \\"hunter2\\"}"}'),
    ("hunter", "%22password%22%3A%22hunter2%22"),
    ("hunter", "&quot;password&quot;:&quot;hunter2&quot;"),
    ("hunter", "<password>hunter2</password>"),
    ("hunter", "Settings(db_password='hunter2', n=1)"),
    ("hunter", "cfg['password'] = 'hunter2'"),
    ("hunter", '{"name": "password", "value": "hunter2"}'),
    ("flor", "contrase\\u00f1a: flor123"),
    ("flor", "senha=flor123"),
    ("mitoken", "GET /webhook?hub.mode=subscribe&hub.verify_token=mitoken&hub.challenge=1"),
    ("abcDEF", "client_secret=abcDEF123"),
    ("0123456789ab", 'app_secret="0123456789abcdef0123456789abcdef"'),
    ("AQBxyz", "grant_type=authorization_code&code=AQBxyz123456&redirect_uri=x"),
    ("K7MDENG", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("abcdef", "Authorization: Bearer abcdef123"),
    ("dXNlcjp", "authorization: Basic dXNlcjpwYXNz"),
    ("fe5f80", "authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/x, Signature=fe5f80f77d5fa3beca"),
    ("xyz987", "cookie: a=b; sid=xyz987; theme=dark"),
    ("xyz987", '{"cookies": ["a=b", "sid=xyz987"]}'),
    ("abcdef", "(b'x-api-key', b'abcdef123')"),
    ("abcdef", "apikey: abcdef123"),
    ("9f86d0", "X-Hub-Signature-256: sha256=9f86d081884c7d659a2feaa0c55ad015"),
    ("618c85", "x-signature: ts=1704908010,v1=618c85345248dd820d5fd456117c2ab2"),
    ("fe5f80", "?X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0&X-Amz-Expires=60"),
]

STAYS = """
6f1d5a3e-8d3c-4f0e-9a51-7c1f6f0c2a10
54911555-5010-4123-8123-549115555010
d41d8cd98f00b204e9800998ecf8427e
da39a3ee5e6b4b0d3255bfef95601890afd80709
9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
1763915400
1763915400123
1763915400.123
"from": 1763915400, "to": 1763915500
2026-11-23T17:00:00.123Z
2026-11-23T14:00:00-03:00
20261123T170000Z
23/11/2026 17:00
R$ 1.234,56
$ 55.318.714
USD 1,234,567.89
0.5491155550101
pedido 20261123000005
"order_id": "11987654321"
"payment_id": 11987654321
PED-00880964
106540352242922
"phone_number_id": "106540352242922"
v24.0
1.26.165
Chrome/126.0.6478.127 Safari/537.36
127.0.0.1
port 5432
HTTP/1.1" 200 1234 5678
arn:aws:sqs:us-east-1:551198765432:reply.fifo
https://sqs.us-east-1.amazonaws.com/573001234567/reply.fifo
Root=1-67891234-123456789012345678901234;Sampled=1
00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
contact~1.k7f3mq2xw9pd
phone~12.573345672345
token=contact~1.k7f3mq2xw4pd
"input_tokens": 512, "max_tokens": 800
"token_type": "bearer"
token expired
invalid token: expired
token: inválido
password: required
"refusal": "signature_wrong"
"secret": "META_APP_SECRET"
"code": "23505"
error code=invalid_request
"key": "tenant/6f1d5a3e/foto.jpg"
Basic auth required
react@18.2.0
std::vector<int>
00:11:22:33:44:55
lat=-34.603722 lon=-58.381592
0x7f3a2b1c4d5e
Rnd8jXYZoAMEVdA=
boleto 23793.38128 60007.827136 95000.063305 9 84410000026000
""".strip().splitlines()

WAMID = "wamid.HBgNNTQ5MTE1NTU1MDEwMRUCABIYFjNFQjBDQUI1QjU2RjY2RjY2NgA="
LINES = ["{}", "got {} here", "(a={}, b=1)", "[{}]"]


def hidden(value: str, seen: str) -> bool:
    """Whether nothing recognisable of a value is left."""
    return value not in seen and not any(digits in seen for digits in re.findall(r"\d{7,}", value))


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("value", PHONES + OTHER_PERSONAL)
def test_people_are_masked_in_every_notation(value, line):
    seen = mask_pii(line.format(value))
    assert hidden(value, seen)
    assert "[" in seen


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("value", SECRETS)
def test_secrets_are_told_by_their_shape(value, line):
    assert redact(line.format(value)) == line.format("[secret]")


@pytest.mark.parametrize(("secret", "written"), IN_CONTEXT)
@pytest.mark.parametrize("line", ["{}", "{} and more", "<{}>"])
def test_secrets_are_told_by_the_name_or_address_around_them(secret, written, line):
    assert secret not in redact(line.format(written))


@pytest.mark.parametrize("value", STAYS)
@pytest.mark.parametrize("line", ["{}", "kept {} today", "({})"])
def test_ids_hashes_amounts_and_times_stay(value, line):
    assert scrub(line.format(value)) == line.format(value)


def test_the_tail_of_a_message_id_is_kept_to_trace_by():
    assert mask_pii(f"status of {WAMID}") == "status of wamid~1QjU2RjY2RjY2NgA"


def test_a_short_message_id_gives_no_more_than_four_characters_away():
    assert mask_pii("wamid.HBgNNTQ5MTE1NTU1MDEwMQ") == "wamid~EwMQ"


def test_a_masked_line_is_still_json():
    line = json.dumps(
        {"to": 5491155550101, "seen": [5491155550101, 7], "password": 123456, "inner": '{"id": 5511987654321}'}
    )
    masked = json.loads(scrub(line))
    assert masked == {
        "to": "[phone]",
        "seen": ["[phone]", 7],
        "password": "[secret]",
        "inner": '{"id": "[phone]"}',
    }


class Loud:
    """Its repr tells all."""

    def __repr__(self) -> str:
        return "Loud(address='5491155550101', password='hunter2')"


class Broken:
    """Its repr raises."""

    def __repr__(self) -> str:
        raise RuntimeError("5491155550101")


class BrokenItems(dict):
    """A dictionary that cannot be read."""

    def items(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ({"to": 5491155550101, "n": 3}, {"to": "[phone]", "n": 3}),
        ({"to": 5491155550101.0}, {"to": "[phone]"}),
        ({5491155550101: 1, "5511987654321": 2}, {"[phone]": 1, "[phone]#1": 2}),
        ([("x", {"+5491155550101"})], [("x", {"[phone]"})]),
        (frozenset({"ana@exemplo.com"}), frozenset({"[email]"})),
        (b"to=5491155550101 \xff", b"to=[phone] \xff"),
        (bytearray(b"ana@exemplo.com"), b"[email]"),
        ({"dni": 12345678, "total": 12345678}, {"dni": "[document]", "total": 12345678}),
        ({"phone": "1155550101"}, {"phone": "[phone]"}),
        ({"Authorization": "Bearer x", "X-Api-Key": b"abc"}, {"Authorization": "[secret]", "X-Api-Key": b"[secret]"}),
        ({"config": {"tokens": ["a", {"b": "c"}]}}, {"config": {"tokens": ["[secret]", {"b": "[secret]"}]}}),
        ({"tokens": 512, "token": 512}, {"tokens": 512, "token": "[secret]"}),
        ([("authorization", "abc"), ("host", "x")], [("authorization", "[secret]"), ("host", "x")]),
        ({"name": "password", "value": "hunter2"}, {"name": "password", "value": "[secret]"}),
        ({"password": None, "secret": False}, {"password": None, "secret": False}),
        (
            {"body": '{"password": "a", "from": "5491155550101"}'},
            {"body": '{"password": "[secret]", "from": "[phone]"}'},
        ),
        (Loud(), "Loud(address='[phone]', password='[secret]')"),
        ({"e": ValueError("no 5491155550101")}, {"e": "ValueError('no [phone]')"}),
        ([Broken()], ["[unprintable Broken]"]),
        ([BrokenItems(a=1)], ["[unprintable BrokenItems]"]),
        ({"deep": 10**400}, {"deep": "[long number]"}),
        (None, None),
        (True, True),
        (1.5, 1.5),
    ],
)
def test_an_object_is_masked_wherever_a_value_is(value, masked):
    assert scrub(value) == masked


def test_an_object_that_is_masked_is_a_copy():
    value = {"a": ["5491155550101"]}
    scrub(value)
    assert value == {"a": ["5491155550101"]}


def test_what_contains_itself_ends():
    loop: list[object] = ["5491155550101"]
    loop.append(loop)
    own: dict[str, object] = {"a": 1}
    own["self"] = own
    assert scrub(loop) == ["[phone]", "[same object]"]
    assert scrub(own) == {"a": 1, "self": "[same object]"}


def test_depth_items_and_characters_are_bounded():
    deep: object = "5491155550101"
    for _ in range(1000):
        deep = [deep]
    assert "5491155550101" not in repr(scrub(deep))
    assert len(scrub(list(range(100_000)))) <= 5_001
    assert len(repr(scrub(["a" * 60_000] * 1_000))) < 400_000


@pytest.mark.parametrize(
    "unit",
    [
        "ana@exemplo.com token=abc 5491155550101 ",
        "a",
        "\\",
        "1-",
        '{"password": "',
        "\ud800",
        "-----BEGIN PRIVATE KEY-----",
    ],
)
def test_ten_megabytes_are_cut(unit):
    text = (unit * 10_000_000)[:10_000_000]
    masked = scrub(text)
    assert len(masked) <= LONGEST
    assert masked.endswith("]")
    assert "[cut " in masked[-20:]
    assert scrub(masked) == masked


def test_nothing_is_cut_in_two_and_then_shown():
    for shift in range(40):
        text = "x" * (LONGEST // 2 - shift) + " 5491155550101 " + "y" * LONGEST
        assert "54911" not in scrub(text)


def test_invalid_text_is_no_reason_to_fail():
    for text in ("\ud800 5491155550101", "5491155550101\udfff", "\x00", "%ff%fe5491155550101", "\\ud800", "&#1114112;"):
        assert "[unmaskable]" not in scrub(text)
        assert "5491155550101" not in scrub(text)
    assert scrub(b"\xff\xfe5491155550101") == b"\xff\xfe[phone]"


PIECES = st.sampled_from(
    [*PHONES, *OTHER_PERSONAL, *SECRETS[:6], *STAYS, *(written for _, written in IN_CONTEXT), WAMID,
     *"=:\"'\\[]{}(),.@%&~ \n-+", "[secret]", "[phone]", "token", "password", "%40", "\\u00e9", "&quot;", "54"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join)))
def test_masking_never_raises_and_a_second_pass_changes_nothing(text):
    for mask in (scrub, redact, mask_pii):
        once = mask(text)
        assert "[unmaskable]" not in once or "[unmaskable]" in text
        assert mask(once) == once


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(), PIECES),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner), st.tuples(inner, inner)),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(ANYTHING)
def test_any_object_is_masked_and_a_second_pass_changes_nothing(value):
    once = scrub(value)
    assert scrub(once) == once


HOSTILE = [
    "1-",
    "(1",
    "5491155550101 ",
    "token=",
    "://",
    "://a:",
    "2800:",
    "\\",
    "a@",
    "%25",
    "-----BEGIN PRIVATE KEY-----",
]


@pytest.mark.parametrize(
    "unit", [*HOSTILE, '"password":"', "eyJaaaaaaaaa.", "A0", "::", "\uff15", "\u200b5", "basic aaaaaaaa "]
)
def test_twice_the_text_takes_twice_the_time(unit):
    texts = [(unit * size)[:size] for size in (20_000, 40_000)]

    def grows_with_the_text() -> bool:
        took: tuple[list[float], list[float]] = ([], [])
        # Of this thread alone, since others of the process serve the world; the quickest of nine is the text's own, and
        # both are asked in turn, since machines change their pace.
        for _ in range(9):
            for text, times in zip(texts, took, strict=True):
                began = time.thread_time()
                scrub(text)
                times.append(time.thread_time() - began)
        # Four times would be a square; what is below a millisecond is noise.
        return min(took[1]) < 3.3 * min(took[0]) + 0.001

    # A busy machine may be unlucky; a square is one each time.
    assert any(grows_with_the_text() for _ in range(5))
