"""Find e-mail addresses, WhatsApp's own addresses, message ids and IPv6 addresses."""

import re
from collections.abc import Iterator

from shared.privacy.documents import LETTERED, is_cnpj
from shared.privacy.patterns import Pattern

Spans = list[tuple[int, int, str]]

_HOST = Pattern(r"(?:[^\W_](?:[\w-]{0,62})\.){1,8}[^\W\d_][\w-]{1,62}")
_LOCAL_SIGNS = frozenset("._%+-!#$&'*/=?^`{|}~")
_LONGEST_LOCAL = 64
# Whose local part is a person, a group or an opaque id of one: n@s.whatsapp.net, n:12@…, n@c.us, n-ts@g.us, n@lid.
_JID_HOST = Pattern(r"(?:s\.whatsapp\.net|c\.us|g\.us|lid|broadcast|newsletter)(?![\w.]\w)")
_JID_LOCAL = Pattern(r"[0-9][0-9.:_-]{4,40}$")

# base64 of 0x1c 0x18, length, phone, 0x15 0x02 0x00, kind, 0x18, length, hex id, 0x00: the tail belongs to the id.
_WAMID = Pattern(r"wamid\.[A-Za-z0-9+/_-]{12,400}={0,2}")
_WAMID_TAIL = 16
# base64 of "capi_group:", a number like a telephone, and an id.
_GROUP = Pattern(r"Y2FwaV9ncm91cD[A-Za-z0-9+/_-]{8,}={0,2}")

_LETTERS_AND_DIGITS = Pattern(
    r"(?s)[A-Z0-9&Ñ](?<![A-Za-z0-9].)(?=[A-Z]\.[A-Za-z0-9]{11}|[A-Z0-9./-]{11,17}(?![A-Za-z0-9]))"
)
# Without so many of these signs in a row, and without what an id has behind its full stop, there is nothing to look at.
_RUNS = bytes(
    ord("x") if code in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789&./-\xc3\x91" else ord(" ") for code in range(256)
)
_LONG_RUN = b"x" * 12
_ID = Pattern(r"\.[A-Za-z0-9]{11}")
# All that could be one, from where such signs begin; whether it is one is asked afterwards, so that this stays linear.
_IPV6 = Pattern(r"(?s)[0-9A-Fa-f:](?<![0-9A-Fa-f:].)[0-9A-Fa-f:.]{3,}+")
_LONGEST_IPV6 = 60
_COLONS = Pattern(r":[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:|::")


def find_addresses(text: str) -> Spans:
    """Spans of all of them."""
    spans: Spans = []
    if "@" in text:
        _mailboxes(text, spans)
    if "wamid." in text:
        for found in _WAMID().finditer(text):
            spans.append((*found.span(), _tail(found.group())))
    if "Y2FwaV9n" in text:
        spans += [(*found.span(), "[group]") for found in _GROUP().finditer(text)]
    if _COLONS().search(text) is not None:
        _ipv6(text, spans)
    return spans


def find_lettered(text: str) -> Spans:
    """Spans of documents that hold letters (CURP, RFC, CNPJ) and of WhatsApp's business-scoped user ids."""
    spans: Spans = []
    if _LONG_RUN not in text.encode("utf-8", "surrogatepass").translate(_RUNS) and _ID().search(text) is None:
        return spans
    for place in _LETTERS_AND_DIGITS().finditer(text):
        found = LETTERED().match(text, place.start())
        if found is None:
            continue
        if found.lastgroup == "cnpj":
            characters = re.sub("[./-]", "", found.group())
            if not is_cnpj(characters) or (characters.isdigit() and len(found.group()) == 14):
                continue
        spans.append((*found.span(), "[contact]" if found.lastgroup == "contact" else "[document]"))
    return spans


def _tail(wamid: str) -> str:
    """The mark of a message id. Its last characters cannot reach back to the phone when it is as long as Meta's are."""
    body = wamid[6:].rstrip("=")
    return f"wamid~{body[-_WAMID_TAIL:] if len(body) >= 44 else body[-4:]}"


def _mailboxes(text: str, spans: Spans) -> None:
    at = text.find("@")
    while at >= 0:
        jid = _JID_HOST().match(text, at + 1)
        if jid is not None:
            local = _JID_LOCAL().search(text[max(0, at - 41) : at])
            if local is not None:
                spans.append((at - len(local.group()), at, "[contact]"))
        else:
            host = _HOST().match(text, at + 1)
            if host is not None:
                start = _start_of_mailbox(text, at)
                if start < at:
                    spans.append((start, host.end(), "[email]"))
        at = text.find("@", at + 1)


def _start_of_mailbox(text: str, at: int) -> int:
    least = max(0, at - _LONGEST_LOCAL)
    if text[at - 1 : at] == '"':
        return _start_of_quoted(text, at, least)
    start = at
    while start > least and (text[start - 1].isalnum() or text[start - 1] in _LOCAL_SIGNS):
        start -= 1
    # What only introduces the address is not a part of it: to=ana@…, /ana@…, 'ana@….
    while start < at and text[start] in "=/&?'{|`~#*!$^%":
        start += 1
    for sign in "=/&?":
        start = max(start, text.rfind(sign, start, at) + 1)
    return start


def _start_of_quoted(text: str, at: int, least: int) -> int:
    """A quoted mailbox ("ana souza"@…), also where its quotes are escaped."""
    opening = text.rfind('"', least, at - 1)
    if opening < 0:
        return at
    while opening > least and text[opening - 1] == "\\":
        opening -= 1
    return opening


def _ipv6(text: str, spans: Spans) -> None:
    for found in _IPV6().finditer(text):
        start, end = found.span()
        if end - start > _LONGEST_IPV6 or text.count(":", start, end) < 2:
            continue
        if text[start - 1 : start].isalnum():
            while text[start].isalnum():  # the end of a word: cliente:2800:…
                start += 1
        if text[end : end + 1].isalpha():
            end = max(start, text.rfind(":", start, end))  # the beginning of one
        for first, last in _parts(text, start, end):
            if _is_ipv6(text[first:last]):
                spans.append((first, last, "[address]"))
                break


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The whole, and what is left when a name before it or a port or an id behind it is taken away."""
    while end > start and (text[end - 1] == "." or (text[end - 1] == ":" and text[end - 2] != ":")):
        end -= 1
    while start < end and (text[start] == "." or (text[start] == ":" and text[start + 1 : start + 2] != ":")):
        start += 1
    yield start, end
    behind_first = text.find(":", start, end) + 1
    before_last = text.rfind(":", start, end)
    if behind_first and before_last > behind_first:
        yield behind_first, end
        yield start, before_last
        yield behind_first, before_last


def _is_ipv6(text: str) -> bool:
    groups = text.split(":")
    filled = [group for group in groups if group]
    if len(groups) > 8 or any(len(group) > 4 and group.count(".") != 3 for group in filled):
        return False
    if "::" in text:
        return text.count("::") == 1 and ":::" not in text and len(filled) >= 2 and any(map(str.isdigit, text))
    return len(filled) == len(groups) and len(groups) + text.count(".") // 3 == 8
