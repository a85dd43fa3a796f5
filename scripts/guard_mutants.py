"""The mutants of scripts/prove_guards.py: one weakened guard each, as an exact change of text."""

from dataclasses import dataclass
from pathlib import Path

VERIFY = "shared/guard/verify"
JUDGED = "shared/safety/judged.py"


@dataclass(frozen=True)
class Mutant:
    """In `path`, `old` becomes `new`. `old` must stand there exactly once."""

    name: str
    path: str
    old: str
    new: str

    def check(self, project: Path) -> str:
        """The file's text. Raises ValueError when `old` is not in it exactly once."""
        text = (project / self.path).read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.old!r} stands {text.count(self.old)} times in {self.path}")
        return text

    def apply(self, project: Path) -> str:
        """Change the file, and answer what it was."""
        text = self.check(project)
        (project / self.path).write_text(text.replace(self.old, self.new))
        return text


MUTANTS = [
    Mutant(
        "constant time: anything matches",
        f"{VERIFY}/constant_time.py",
        "    found = None\n",
        "    found = 0\n",
    ),
    Mutant(
        "constant time: an empty secret matches",
        f"{VERIFY}/constant_time.py",
        " and candidate and found",
        " and found",
    ),
    Mutant(
        "constant time: a prefix is enough",
        f"{VERIFY}/constant_time.py",
        "hmac.compare_digest(candidate, given) and candidate",
        "candidate[:8] == given[:8] and candidate",
    ),
    Mutant(
        "constant time: only the newest secret is tried",
        f"{VERIFY}/constant_time.py",
        "in enumerate(candidates):",
        "in enumerate(list(candidates)[:1]):",
    ),
    Mutant(
        "meta: a missing signature passes",
        f"{VERIFY}/meta.py",
        '        raise Refused("signature_missing", 401)\n',
        "        return 0\n",
    ),
    Mutant(
        "meta: a malformed signature passes",
        f"{VERIFY}/meta.py",
        '        raise Refused("signature_malformed", 401)\n',
        "        return 0\n",
    ),
    Mutant(
        "meta: a wrong signature passes",
        f"{VERIFY}/meta.py",
        '        raise Refused("signature_wrong", 401)\n',
        "        return 0\n",
    ),
    Mutant("meta: upper case hex passes", f"{VERIFY}/meta.py", "([0-9a-f]{64})", "([0-9a-fA-F]{64})"),
    Mutant(
        "meta: a second value behind the signature passes",
        f"{VERIFY}/meta.py",
        "_SIGNATURE.fullmatch",
        "_SIGNATURE.match",
    ),
    Mutant(
        "meta: an empty secret signs",
        f"{VERIFY}/meta.py",
        ' if key else b"" for key in app_secrets',
        " for key in app_secrets",
    ),
    Mutant(
        "meta: the handshake takes any token",
        f"{VERIFY}/meta.py",
        '        raise Refused("handshake_token_wrong", 403)\n',
        "        pass\n",
    ),
    Mutant(
        "meta: the handshake echoes anything",
        f"{VERIFY}/meta.py",
        "    if _CHALLENGE.fullmatch(challenge) is None:\n",
        "    if not challenge:\n",
    ),
    Mutant(
        "meta: the handshake ignores the mode",
        f"{VERIFY}/meta.py",
        '    if values["mode"][0] != "subscribe":\n',
        '    if not values["mode"][0]:\n',
    ),
    Mutant(
        "cron: no secret passes",
        f"{VERIFY}/cron.py",
        '        raise Refused("cron_secret_missing", 401)\n',
        "        return 0\n",
    ),
    Mutant(
        "cron: a wrong secret passes",
        f"{VERIFY}/cron.py",
        '        raise Refused("cron_secret_wrong", 401)\n',
        "        return 0\n",
    ),
    Mutant(
        "cron: the bare secret passes",
        f"{VERIFY}/cron.py",
        ' or not authorization.startswith("Bearer ")',
        "",
    ),
    Mutant(
        "queue: any ARN passes",
        f"{VERIFY}/queue.py",
        'record.get("eventSourceARN") != queue_arn',
        "False",
    ),
    Mutant(
        "queue: any source passes",
        f"{VERIFY}/queue.py",
        'record.get("eventSource") != "aws:sqs"',
        "False",
    ),
    Mutant(
        "queue: a wrong envelope passes",
        f"{VERIFY}/queue.py",
        '        raise Refused("envelope_wrong", 403)\n',
        "        pass\n",
    ),
    Mutant(
        "queue: an envelope for another queue passes",
        f"{VERIFY}/queue.py",
        '        raise Refused("envelope_misplaced", 403)\n',
        "        pass\n",
    ),
    Mutant("queue: an empty key signs", f"{VERIFY}/queue.py", ' if key else b"" for key in keys', " for key in keys"),
    Mutant(
        "parameters: an expired secret stays live",
        "shared/cloud/parameters.py",
        "if expires > now)",
        "if expires)",
    ),
    Mutant(
        "parameters: an empty secret is a secret",
        "shared/cloud/parameters.py",
        "if any(len(value) < minimum for value, _ in values):",
        "if not values:",
    ),
    Mutant(
        "parameters: no live value is no problem",
        "shared/cloud/parameters.py",
        '    if not values:\n        raise Unavailable(f"secret_missing_{name}")\n    return values\n',
        "    return values\n",
    ),
    Mutant(
        "guard: any method",
        "shared/guard/declaration.py",
        "        if call.method not in self.methods:\n",
        "        if not call.method:\n",
    ),
    Mutant(
        "guard: nobody asks the kind",
        "shared/guard/declaration.py",
        "        caller = self.kind.admit(call, now)\n",
        '        from shared.guard.request import Caller as C\n\n        caller = C("nobody")\n',
    ),
    Mutant(
        "guard: a schedule's event is believed",
        "shared/guard/declaration.py",
        '            caller = kind.admit_event(event.get("authorization"))\n',
        '            caller = Caller("cron")\n',
    ),
    Mutant(
        "guard: a queue's record is believed",
        "shared/guard/declaration.py",
        "            ids = verify_record(record, kind.name, arn, parameters.live(Secret.QUEUE_KEY), started)\n",
        '            ids = __import__("json").loads(record["body"].partition(".")[2])["ids"]\n',
    ),
    Mutant(
        "guard: a failed record is reported as done",
        "shared/guard/declaration.py",
        '                failures.append({"itemIdentifier": record["messageId"]})\n',
        "                pass\n",
    ),
    Mutant(
        "guard: later records of a failed group go ahead",
        "shared/guard/declaration.py",
        "            if group in stopped or not",
        "            if not",
    ),
    Mutant(
        "guard: no rate",
        "shared/guard/declaration.py",
        "        if not self.rate:\n",
        "        if self.rate:\n",
    ),
    Mutant(
        "guard: the prefix does not matter",
        "shared/guard/declaration.py",
        '        if function.partition("_")[0] not in self.kind.prefixes:\n',
        "        if not function:\n",
    ),
    Mutant(
        "guard: the caller is told the fault",
        "shared/guard/declaration.py",
        '            return render_problem(Problem("fault", 500), extra)\n',
        '            return render_problem(Problem("fault", 500, __import__("traceback").format_exc()), extra)\n',
    ),
    Mutant(
        "request: no limit of the body",
        "shared/guard/request.py",
        "    if len(body) > body_limit:\n",
        "    if not body_limit and len(body) > 10**9:\n",
    ),
    Mutant(
        "request: no limit before decoding",
        "shared/guard/request.py",
        "    if len(text) > (body_limit * 4 // 3 + 4 if encoded else body_limit):\n",
        "    if len(text) > 10**9:\n",
    ),
    Mutant(
        "request: no limit of headers",
        "shared/guard/request.py",
        "> MAXIMUM_HEADER_BYTES:",
        "> 10**9:",
    ),
    Mutant(
        "request: the base64 flag is ignored",
        "shared/guard/request.py",
        '_field(whole, "isBase64Encoded", bool)',
        "False",
    ),
    Mutant("request: sloppy base64", "shared/guard/request.py", "validate=True", "validate=False"),
    Mutant(
        "request: the token shows in a log",
        "shared/guard/request.py",
        "user={self.user!r}, trusted",
        "{self.token} user={self.user!r}, trusted",
    ),
    Mutant(
        "json: duplicate keys",
        "shared/guard/strict_json.py",
        "    if len(result) != len(pairs):\n        raise Malformed\n",
        "",
    ),
    Mutant(
        "json: NaN",
        "shared/guard/strict_json.py",
        "    raise Malformed\n\n\ndef _integer",
        "    return None  # type: ignore\n\n\ndef _integer",
    ),
    Mutant("json: any depth", "shared/guard/strict_json.py", "    _check_depth(value)\n", ""),
    Mutant("json: any integer", "shared/guard/strict_json.py", "parse_int=_integer, ", ""),
    Mutant(
        "response: any origin may read",
        "shared/guard/response.py",
        "if origin in read_list(Setting.ALLOWED_ORIGINS, _ORIGIN):",
        "if origin:",
    ),
    Mutant(
        "response: an origin's prefix is enough",
        "shared/guard/response.py",
        "if origin in read_list(Setting.ALLOWED_ORIGINS, _ORIGIN):",
        'if origin in " ".join(read_list(Setting.ALLOWED_ORIGINS, _ORIGIN)):',
    ),
    Mutant(
        "response: no HSTS",
        "shared/guard/response.py",
        '    "strict-transport-security": "max-age=63072000; includeSubDomains",\n',
        "",
    ),
    Mutant("response: no nosniff", "shared/guard/response.py", '    "x-content-type-options": "nosniff",\n', ""),
    Mutant(
        "response: no content security policy",
        "shared/guard/response.py",
        "default-src 'none'; frame-ancestors 'none'",
        "default-src *",
    ),
    Mutant("public: no rate", "shared/guard/kinds.py", "        if wait:\n", "        if wait < 0:\n"),
    Mutant(
        "public: no reason",
        "shared/guard/kinds.py",
        "        if len(reason.split()) < 3:\n",
        "        if reason is None:\n",
    ),
    Mutant(
        "mercadopago: no signature passes as trusted",
        "shared/guard/schemes.py",
        'return Caller(kind="mercadopago", facts=facts, trusted=False)',
        'return Caller(kind="mercadopago", facts=facts, trusted=True)',
    ),
    Mutant(
        "mercadopago: quarantine without a rate",
        "shared/guard/schemes.py",
        "    quarantine.admit(call.source_ip, now)\n",
        "",
    ),
    Mutant(
        "mercadopago: the function gets the unsigned body",
        "shared/guard/schemes.py",
        '"mercadopago": Scheme(_admit_mercadopago, signs_body=False)',
        '"mercadopago": Scheme(_admit_mercadopago, signs_body=True)',
    ),
    Mutant(
        "mercadopago: a wrong signature passes",
        f"{VERIFY}/mercadopago.py",
        '        raise Refused("signature_wrong", 401)\n',
        "        place = 0\n",
    ),
    Mutant(
        "mercadopago: a signature over nothing passes",
        f"{VERIFY}/mercadopago.py",
        '        raise Refused("signature_covers_nothing", 401)\n',
        "        pass\n",
    ),
    Mutant(
        "mercadopago: two ids",
        f"{VERIFY}/mercadopago.py",
        "    if len(data_ids) > 1:\n",
        "    if len(data_ids) > 99:\n",
    ),
    Mutant(
        "mercadopago: a value may hold a semicolon",
        f"{VERIFY}/mercadopago.py",
        "[!-:<-~]{1,200}",
        "[!-~]{1,200}",
    ),
    Mutant(
        "mercadopago: from the future",
        f"{VERIFY}/mercadopago.py",
        '        raise Refused("signature_early", 401)\n',
        "        pass\n",
    ),
    Mutant(
        "mercadopago: the request id is not signed",
        f"{VERIFY}/mercadopago.py",
        '("request-id", request_id), ',
        "",
    ),
    Mutant("mercadopago: the time is not signed", f"{VERIFY}/mercadopago.py", ', ("ts", ts))', ")"),
    Mutant("mercadopago: the id is not signed", f"{VERIFY}/mercadopago.py", '(("id", data_id), ', "("),
    Mutant(
        "mercadopago: an empty secret signs",
        f"{VERIFY}/mercadopago.py",
        "    if not secret:\n",
        "    if secret is None:\n",
    ),
    Mutant(
        "paddle: a wrong signature passes",
        f"{VERIFY}/paddle.py",
        '        raise Refused("signature_wrong", 401)\n',
        "        place = 0\n",
    ),
    Mutant(
        "paddle: stale passes",
        f"{VERIFY}/paddle.py",
        '        raise Refused("signature_stale", 401)\n',
        "        pass\n",
    ),
    Mutant(
        "paddle: early passes",
        f"{VERIFY}/paddle.py",
        '        raise Refused("signature_early", 401)\n',
        "        pass\n",
    ),
    Mutant("paddle: the time is not signed", f"{VERIFY}/paddle.py", 'ts.encode() + b":" + body', 'b":" + body'),
    Mutant("paddle: two times", f"{VERIFY}/paddle.py", "len(moments) != 1", "not moments"),
    Mutant("paddle: joined headers", f"{VERIFY}/paddle.py", '"," in header or ', ""),
    Mutant(
        "paddle: an empty secret signs",
        f"{VERIFY}/paddle.py",
        '.encode() if key else b"" for key in secrets',
        ".encode() for key in secrets",
    ),
    Mutant(
        "signed_request: a wrong signature passes",
        f"{VERIFY}/signed_request.py",
        '        raise Refused("signature_wrong", 401)\n',
        "        place = 0\n",
    ),
    Mutant(
        "signed_request: any algorithm",
        f"{VERIFY}/signed_request.py",
        '        raise Refused("algorithm_wrong", 401)\n',
        "        pass\n",
    ),
    Mutant(
        "signed_request: from the future",
        f"{VERIFY}/signed_request.py",
        '        raise Refused("issued_early", 401)\n',
        "        pass\n",
    ),
    Mutant(
        "signed_request: two fields", f"{VERIFY}/signed_request.py", "    if len(given) != 1:\n", "    if not given:\n"
    ),
    Mutant(
        "signed_request: an empty secret signs",
        f"{VERIFY}/signed_request.py",
        "    if not secret:\n",
        "    if secret is None:\n",
    ),
    Mutant(
        "signed_request: any kind of callback",
        "shared/guard/schemes.py",
        '        raise Refused("callback_kind_unknown", 400)\n',
        '        return Caller(kind="meta_signed_request", facts={"kind": "deletion"})\n',
    ),
    Mutant(
        "jwt: any audience",
        f"{VERIFY}/jwt.py",
        '        raise Refused("token_audience", 401)\n',
        "        pass\n",
    ),
    Mutant(
        "jwt: any issuer",
        f"{VERIFY}/jwt.py",
        '    if claims["iss"] not in issuers:\n',
        '    if not claims["iss"]:\n',
    ),
    Mutant("jwt: no signature", f"{VERIFY}/jwt.py", "    if not good:\n", "    if good is None:\n"),
    Mutant(
        "jwt: claims may be missing",
        f"{VERIFY}/jwt.py",
        '            raise Refused("token_claim_missing", 401)\n',
        "            pass\n",
    ),
    Mutant(
        "jwt: the header may name another algorithm",
        f"{VERIFY}/jwt.py",
        "    if key.algorithm_name != algorithm:\n",
        "    if not algorithm:\n",
    ),
    Mutant(
        "jwt: a shared secret signs for any audience",
        f"{VERIFY}/jwt.py",
        '    "verify_exp": False,\n',
        '    "verify_exp": False,\n    "verify_aud": False,\n',
    ),
    Mutant(
        "jwt: a shared secret signs for any issuer",
        f"{VERIFY}/jwt.py",
        '    "verify_exp": False,\n',
        '    "verify_exp": False,\n    "verify_iss": False,\n',
    ),
    Mutant(
        "jwt: a shared secret need not sign",
        f"{VERIFY}/jwt.py",
        '    "verify_exp": False,\n',
        '    "verify_exp": False,\n    "verify_signature": False,\n',
    ),
    Mutant(
        "jwt: critical extensions pass",
        f"{VERIFY}/jwt.py",
        '        raise Refused("token_critical", 401)\n',
        "        pass\n",
    ),
    Mutant(
        "jwt: HS256 without being asked for",
        f"{VERIFY}/jwt.py",
        '    if header.algorithm == "HS256" and shared_secrets:\n',
        '    if header.algorithm == "HS256":\n        shared_secrets = shared_secrets or [AUDIENCE * 4]\n',
    ),
    Mutant(
        "jwt: only the newest shared secret",
        f"{VERIFY}/jwt.py",
        'if refusal.name != "token_signature":',
        "if True:",
    ),
    Mutant(
        "jwt: times need not be numbers",
        f"{VERIFY}/jwt.py",
        '        raise Refused("token_time", 401)\n',
        "        pass\n",
    ),
    Mutant(
        "jwt: expired passes", f"{VERIFY}/jwt.py", '        raise Refused("token_expired", 401)\n', "        pass\n"
    ),
    Mutant(
        "jwt: issued in the future",
        f"{VERIFY}/jwt.py",
        "    if issued - LEEWAY_SECONDS > now:\n",
        "    if issued < 0:\n",
    ),
    Mutant(
        "jwt: not yet valid passes",
        f"{VERIFY}/jwt.py",
        "    if begins - LEEWAY_SECONDS > now:\n",
        "    if begins < 0:\n",
    ),
    Mutant("jwt: any lifetime", f"{VERIFY}/jwt.py", '        raise Refused("token_lifetime", 401)\n', "        pass\n"),
    Mutant("jwt: any role", f"{VERIFY}/jwt.py", '        raise Refused("token_role", 401)\n', "        pass\n"),
    Mutant(
        "jwt: anonymous users", f"{VERIFY}/jwt.py", '        raise Refused("token_anonymous", 401)\n', "        pass\n"
    ),
    Mutant(
        "jwt: third-party apps", f"{VERIFY}/jwt.py", '        raise Refused("token_client", 401)\n', "        pass\n"
    ),
    Mutant("jwt: any subject", f"{VERIFY}/jwt.py", '        raise Refused("token_subject", 401)\n', "        pass\n"),
    Mutant(
        "step-up: one factor is enough",
        f"{VERIFY}/jwt.py",
        '        raise Refused("second_factor_missing", 401, STEP_UP)\n',
        "        pass\n",
    ),
    Mutant(
        "step-up: an old code is fresh", f"{VERIFY}/jwt.py", "    if newest < now - seconds:\n", "    if newest < 0:\n"
    ),
    Mutant(
        "step-up: a code from the future",
        f"{VERIFY}/jwt.py",
        "    if newest > now + LEEWAY_SECONDS:\n",
        "    if newest < 0:\n",
    ),
    Mutant("step-up: any method is a code", f"{VERIFY}/jwt.py", ' and entry.get("method") == "totp"', ""),
    Mutant(
        "step-up: no code at all",
        f"{VERIFY}/jwt.py",
        "    if newest is None:\n",
        "    if newest is None:\n        return\n    if newest is None:\n",
    ),
    Mutant(
        "step-up: nobody asks for the second factor", "shared/guard/people.py", "    if aal2:\n", "    if not aal2:\n"
    ),
    Mutant(
        "step-up: nobody asks for a fresh code",
        "shared/guard/people.py",
        "    if fresh_totp:\n",
        "    if fresh_totp < 0:\n",
    ),
    Mutant("session: nobody asks", "shared/guard/people.py", "    if live_session:\n", "    if not live_session:\n"),
    Mutant(
        "session: one that was ended",
        f"{VERIFY}/session.py",
        '        raise Refused("session_revoked", 401)\n',
        "        return\n",
    ),
    Mutant(
        "session: somebody else's",
        f"{VERIFY}/session.py",
        '        raise Refused("session_foreign", 401)\n',
        "        return\n",
    ),
    Mutant(
        "session: Auth does not answer",
        f"{VERIFY}/session.py",
        '    if answer.status != 200:\n        raise Unavailable("session_unanswered")\n',
        "    if answer.status != 200:\n        return\n",
    ),
    Mutant(
        "keys: an endpoint that does not answer admits an old key",
        f"{VERIFY}/signing_keys.py",
        "if abs(now - self._fetched_at) < KEPT_SECONDS else None",
        "if self._keys else None",
    ),
    Mutant(
        "keys: a dead endpoint is asked by everybody",
        f"{VERIFY}/signing_keys.py",
        '                raise Unavailable("token_keys_unreachable")\n            if abs(now - self._fetched_at)',
        "                pass\n            if abs(now - self._fetched_at)",
    ),
    Mutant(
        "keys: unknown keys are asked for every time",
        f"{VERIFY}/signing_keys.py",
        '                raise Refused("token_key_unknown", 401)\n            try:\n',
        "                pass\n            try:\n",
    ),
    Mutant(
        "keys: any algorithm",
        f"{VERIFY}/signing_keys.py",
        "return key if key.algorithm_name in ALGORITHMS else None",
        "return key",
    ),
    Mutant(
        "judged text: history enters a prompt unjudged",
        JUDGED,
        "    _part(lines, waiting)\n    return Conversation(lines, waiting)\n",
        '    allow = Verdict(0.0, "allow", ())\n'
        "    lines = [JudgedLine(line.author, JudgedText(_FILTER, line.text, allow), line.id) for line in earlier]\n"
        "    return Conversation(lines, waiting)\n",
    ),
    Mutant(
        "judged text: what was blocked enters a prompt",
        JUDGED,
        "return WITHHELD if text.is_withheld else for_judging(text)",
        "return for_judging(text)",
    ),
    Mutant(
        "judged text: unjudged text enters a prompt",
        JUDGED,
        "if not isinstance(text, JudgedText):",
        "if not isinstance(text, Untrusted):",
    ),
    Mutant(
        "judged text: a verdict of an older filter is believed",
        JUDGED,
        "if line.verdict is None or line.filter_version != FILTER_VERSION:",
        "if line.verdict is None:",
    ),
    Mutant(
        "judged text: pieces of an attack enter a prompt together",
        JUDGED,
        '    if together.verdict == "block":\n',
        "    if together.score > 1.0:\n",
    ),
    Mutant(
        "turn: neutral replies do not end",
        "shared/messaging/turn.py",
        "    if claim.pace.neutral < NEUTRAL_AN_HOUR:\n",
        "    if claim.pace.neutral >= 0:\n",
    ),
]
