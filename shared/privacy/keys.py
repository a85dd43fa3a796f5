"""Secrets that only the name before them gives away: in JSON, reprs, headers, query strings, forms and plain lines."""

import re
from functools import lru_cache

from shared.privacy.patterns import Pattern
from shared.privacy.shapes import MARK

Spans = list[tuple[int, int, str]]

# What a name must contain, and at the same time the cheap look that spares most lines the pattern.
_WORDS = (
    "token", "secret", "key", "pass", "pwd", "auth", "cookie", "sig", "credential", "session", "code", "senha",
    "contrase", "clave", "segredo", "hmac", "jwt", "cvv", "cvc", "otp", "pin", "firma", "dsn", "connection",
    "assinatura",
)  # fmt: skip
_NAME = Pattern(
    r"""(?x)
    (?P<name> passw(?:or)?ds?|passphrase|pwd|contrase[^\W\d_].{0,1}as?
      | (?<!\[)secrets?|tokens?|cookies?|signatures?|credentials?
      | api[-_.\ ]?keys?
      | (?:access|private|service|signing|encryption|master|license|server|anon|shared|storage|webhook|role|consumer
          |hmac|jwt|data|account|public|secret)[-_.]?keys?
      | (?:proxy-?)?authorization|hmac|jwt|session[-_]?id|signed[-_]?request|connection[-_]?string
      | (?<![a-z]) (?: senhas?|segredos?|claves?|pass|cvv2?|cvc|otp|pin|auth|dsn|firma|sig|assinatura )
    )
    (?P<rest> [a-z0-9_.-]{0,32} ) \]?
    (?: [\\"'`]{0,9} \]? \s{0,2} (?: => | := | [:=] | ,(?=\s?b?[\\"']) ) \s{0,3} | >(?=[^\s<>]) | "\s{1,2}(?=") )
    """
)
# `code`, `key` and the like are secrets in an address or a form, and something harmless nearly everywhere else.
_QUERY = Pattern(r"(?:[?&;](?:key|k|sig|hmac|auth)|(?:[?&;]|(?<![^\s\"'(\[{]))code)=([^\s&\"'<>;,)\]}\\]{8,})")
_LONG_CODE = Pattern(r"[\"']code\\*[\"']\s?:\s?\\*[\"']([a-z0-9_./+=#-]{20,})(?=\\*[\"'])")
# An option of a command, and what a person says in a message; here the value must hold a digit.
_OPTION = Pattern(r"--[a-z-]{0,20}(?:password|passwd|token|secret|api-?key)[ =]([^\s\"'-][^\s\"']{3,})")
_TOLD = Pattern(
    r"(?:password|senha|contrase.{1,2}a|clave|pin) (?:is|es|é|eh|era) [\"']?((?=[^\s\"']{0,64}[0-9])[^\s\"',;<]{4,})"
)

_HARMLESS_REST = Pattern(
    r"[_.-]?(?:type|types|count|counts|usage|limit|expir|exp\b|ttl|name|kind|status|valid|error|failed|wrong|missing|ok\b"
    r"|version|length|size|age\b|rotat|banner|policy|consent|id\b|ids\b|url|uri|path|header|alg|used|per|budget|at\b|in\b"
    r"|required|issuer|endpoint|place|count|details|algorithm|max|min|left|s?_?(?:in|out|total)\b)"
)
_COUNT_BEFORE = Pattern(r"(?:max|min|input|output|prompt|completion|total|cached|reasoning|num|next|page)_?$")
_SAID_OF_IT = Pattern(
    r"(?:in)?(?:v[aá]lid[ao]?s?|correct[ao]?)|expired?|expirad[ao]|vencid[ao]|required|requerid[ao]|obligatori[ao]"
    r"|obrigat[oó]ri[ao]"
    r"|missing|none|null|nil|true|false|undefined|empty|vac[ií][ao]|vazi[ao]|unknown|not|no|n[aã]o|is|was|has|must|should|wrong"
    r"|mismatch|signature|verification|header|headers|ok|yes|error|absent|ausente|denied|rejected|rechazad[ao]|refreshed|revoked"
    r"|malformed|unset|bearer|basic|signature_\w+|incorret[ao]s?|too|the|a|an|and|falta|faltante|does|cannot|could|expected|failed"
)
_SETTING = Pattern(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_PSEUDONYM = Pattern(r"[a-z_]+~[0-9]+\.[a-z0-9]{12}(?![a-z0-9])")

_OPENING = Pattern(r"(?:\(?(?:[bur]|rb|f)?)?(\\{0,16}[\"'`])|\[\s?(?:b|u)?(\\{0,16}[\"'])")
_ANOTHER_NAME = Pattern(r"\\{0,16}[\"']\s?:\s?\\{0,16}[\"']")
_BARE = Pattern(r"[^\s\"'&,;)\]}<>\\]+")
_BARE_HEADER = {
    "authorization": Pattern(r"(?:[A-Za-z][\w-]{1,19} +)?[^\s\"',;)\]}]+(?:, ?[A-Za-z]+=[^\s\"',;]+)*"),
    "cookie": Pattern(r"[^\s\"';]+(?:; ?[^\s\"';]+)*"),
    "signature": Pattern(r"[^\s\"'&)\]}]+(?:(?<=,) ?[a-z][a-z0-9]{0,2}=[^\s\"',]+)*"),
}


def find_keyed(text: str) -> Spans:
    """Spans of the values whose name says that they are secret."""
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = text.translate(_LOWER)
    spans: Spans = []
    for word in _WORDS:
        if word in lowered:
            break
    else:
        return spans
    found = _NAME().search(lowered)
    while found is not None:
        done = found.end()
        if _is_secret(lowered, found):
            # What lies inside a value goes with it: a name in there need not be read again.
            done = max(done, _value(text, found, spans))
        found = _NAME().search(lowered, done)
    for pattern in (_QUERY, _LONG_CODE, _OPTION, _TOLD):
        for other in pattern().finditer(lowered):
            value = text[other.start(1) : other.end(1)]
            if any(map(str.isdigit, value)) or not value.islower():
                spans.append((*other.span(1), MARK))
    return spans


_GLUED = (
    "key", "value", "access", "hash", "base", "old", "new", "current", "text", "raw", "proof", "enc", "str", "for",
)  # fmt: skip
# A value that has been replaced already, or all but the name of its scheme.
_REPLACED = Pattern(r"(?:[\w-]{1,24}[ =:]\s?)?\[secret\]?")
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


@lru_cache(maxsize=512)
def is_secret_name(name: str) -> bool:
    """Whether an object's key of this name holds a secret."""
    lowered = name.lower() + "="
    found = _NAME().search(lowered)
    return found is not None and found.end() == len(lowered) and _is_secret(lowered, found)


def _is_secret(lowered: str, found: re.Match[str]) -> bool:
    rest = found["rest"]
    if rest and (_HARMLESS_REST().match(rest) or (len(rest) > 14 and any(map(str.isdigit, rest)))):
        return False  # it tells about a secret, or is one itself
    if rest and rest[0].isalpha() and not rest.startswith(_GLUED):
        return False  # an author, a tokenizer, a secretary
    name = found["name"]
    if name.startswith(("public", "data", "account")) and "key" in name:
        return False
    return not (name.startswith("token") and _COUNT_BEFORE().search(lowered, max(0, found.start() - 16), found.start()))


def _value(text: str, found: re.Match[str], spans: Spans) -> int:
    """Add the span of the value that begins where `found` ends. Answers where it ends, or 0 if it stays."""
    start = found.end()
    opening = _OPENING().match(text, start)
    if opening is not None:
        quote = opening[1] or opening[2]
        start = opening.end()
        end = _closing(text, start, quote)
        following = _ANOTHER_NAME().match(text, end)
        if following is not None and "," in found.group():
            # {"name": "password", "value": "…"}: what follows is a name itself.
            if text[start:end] not in ("value", "Value", "val"):
                return 0
            start = following.end()
            end = _closing(text, start, quote)
        if opening[2]:
            closing = text.find("]", end)
            end = max(end, text.rfind(quote, start, closing)) if closing > 0 else end
    else:
        end = _end_of_bare(text, start, found)
        if _is_said(text, start, end, found):
            return 0
    value = text[start:end]
    if not value or (value[0] in "[{" and opening is None) or _REPLACED().fullmatch(value):
        return 0
    if _SETTING().fullmatch(value) or _PSEUDONYM().match(value) or value.lower() in ("none", "null", "true", "false"):
        return 0
    spans.append((start, end, MARK))
    return end


def _closing(text: str, start: int, quote: str) -> int:
    """Where a quoted value ends: at a quote with no more signs of escape than the opening one, or with the line."""
    depth = len(quote) - 1
    at = text.find(quote[-1], start)
    while at >= 0:
        slashes = at
        while slashes > start and text[slashes - 1] == "\\":
            slashes -= 1
        if at - slashes <= depth:
            return slashes
        at = text.find(quote[-1], at + 1)
    line = text.find("\n", start)
    return line if line >= 0 else len(text)


def _end_of_bare(text: str, start: int, found: re.Match[str]) -> int:
    for word, pattern in _BARE_HEADER.items():
        if word in found["name"] and (":" in found.group()[-4:] or word == "signature"):
            value = pattern().match(text, start)
            return value.end() if value else start
    value = _BARE().match(text, start)
    return value.end() if value else start


def _is_said(text: str, start: int, end: int, found: re.Match[str]) -> bool:
    """Whether the bare word after the name tells about it ("token: expired"), or is a count ("tokens: 512")."""
    value = text[start:end].lower().rstrip(".!?")
    if value.isdigit() and (found["name"].endswith("s") or len(value) < 4):
        return True
    return _SAID_OF_IT().fullmatch(value) is not None
