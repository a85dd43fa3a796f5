"""Find people in digits: telephone numbers, documents, cards and IPv4 addresses, and leave every other number alone.

A number is told by its own shape first (a country's plan, check digits, grouping), then by the word before it: "order"
keeps what only may be a telephone, "DNI" gives away what could be anything.
"""

import re

from shared.privacy import documents
from shared.privacy.patterns import Pattern
from shared.privacy.phones import CERTAIN, COUNTRIES, LIKELY, MOBILE, NATIONAL, end_of_international

Spans = list[tuple[int, int, str]]
Groups = list[tuple[int, int]]

# Seven digits or more with at most three signs between two: fewer are no one's number. The character before is looked
# at second, so that the engine leaps from digit to digit.
_RUN = Pattern(r"(?s)[+(0-9](?<![A-Za-z0-9].)(?:[ .()/+-]{0,3}[0-9]){6,}+")
_GROUP = Pattern(r"[0-9]+")

# What is written in digits and means a time or a thing, from its first digit on.
_KEEP = Pattern(
    r"""(?x)
    (?: [0-9]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}
      | 20[23][0-9](?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])
      | (?:19|20)[0-9]{2}([-/.])(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12][0-9]|3[01])(?:[T ][0-9]{2}(?::?[0-9]{2}){1,2})?
      | (?:0?[1-9]|[12][0-9]|3[01])([-/.])(?:0?[1-9]|1[0-2])\2(?:19|20)[0-9]{2}
      | [0-9]{1,2}-[0-9a-f]{8}-[0-9a-f]{24}
      | 00-[0-9a-f]{32}-[0-9a-f]{16}
      | (?<=~)[0-9]{1,4}\.[a-z0-9]{12}
    ) (?![0-9A-Za-z])
    """
)
# Written so that it can be nothing else, check digits or not.
_WRITTEN = Pattern(
    r"""(?x)
    (?: (?P<cpf> [0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2} )
      | (?P<cnpj> [0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2} )
      | (?P<cuit> (?:2[034567]|3[034])(?P<a>[-. ])[0-9]{8}(?P=a)[0-9] )
      | (?P<rut> [0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9kK] )
      | (?P<plain_cpf> [0-9]{9}-[0-9]{2} )
      | (?P<plain_rut> [0-9]{7,8}-[0-9kK] )
      | (?P<card> [0-9]{4}(?P<b>[ -])[0-9]{4}(?P=b)[0-9]{4}(?P=b)[0-9]{4}
                | 3[47][0-9]{2}(?P<c>[ -])[0-9]{6}(?P=c)[0-9]{5} )
    ) (?![0-9A-Za-z]|-[0-9])
    """
)

_DOTTED = Pattern(r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}(?![0-9])")

_BEFORE = 40
_DOCUMENT_WORD = Pattern(
    r"(?:^|[^a-z])(?:dni|d\.n\.i\.?|cpf|cnpj|cui[tl]|rut|run|rg|documento|identidad|identidade|c[eé]dula|ci|c\.i\.?)"
    r"(?:[ _]?(?:del? |do )?(?:cliente|titular|n(?:[uú]mero|[°ºro]{1,3})?|no)\.?)?[\\\"'\s:=#°º.-]{0,6}$"
)
_PHONE_WORD = Pattern(
    r"(?:tel(?:[eé]fono|efone|ephone)?|phone(?:_?number)?|cel(?:ular)?|m[oó]vil|mobile|whats?app|wpp|zap|wa_?id|fone|msisdn"
    r"|wa\.me/|contact[oa]?|sender|recipient|(?:sender|recipient|chat|contact)_id|[\"'](?:from|to|de|para))"
    r"(?:[ _]?(?:n(?:[uú]mero|umber|[°ºro]{1,3})?|no))?\.?[\\\"'\s:=(/-]{0,6}$"
)
_THING_WORD = Pattern(
    r"(?:^|[^a-z])(?:order|pedido|orden|payments?|pago|pagamento|cobro|cobran[cç]a|invoice|factura|fatura"
    r"|nota(?: fiscal)?|boleto|ticket|protocolo?|tracking|rastreio|seguimiento|transac\w{2,5}|operaci[oó]n"
    r"|ref(?:er[eê]ncia|erencia|erence)?|account|cuenta|app|application|collector|preference|merchant|product[oa]?|item|sku|ean|lote|batch|offset"
    r"|seq(?:uence)?|bytes|size|amount|importe|monto|valor|total|price|precio|pre[cç]o|balance|saldo|epoch|timestamp|time"
    r"|ts|exp|iat|nbf|expires|at|duration|version|build|subscription|customer|page|p[aá]gina|post|media|waba|business"
    r"|campaign|catalog|asset|trace|span|request|serial|code|c[oó]digo|us\$|r\$|\$)"
    r"(?:[ _]?(?:id|number|n[uú]mero|n[°ºro]{1,3}|no|ms|at|de pago))?\.?[\\\"'\s:=#(]{0,6}$"
)
_ID_WORD = Pattern(r"(?:[a-z_-]|\b)id[\\\"'\s:=#(]{0,6}$")
_NOT_A_THING = Pattern(r"(?:wa_?|whatsapp_?|sender_|recipient_|contact_|chat_|from_|j|ls?)id[\\\"'\s:=(]{0,6}$")
_AWS_ACCOUNT = Pattern(
    r"(?:amazonaws\.com/|arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:|(?:account|cuenta)[ _-]?(?:id)?[\"'\s:=]{0,5})$"
)
_PRODUCT = Pattern(r"(?:^|[^A-Za-z/])[A-Z][A-Za-z]+/$")
_VERSION_WORD = Pattern(r"(?:\bv|version\s?[:=]?\s?|vers[ãi][oó]n?\s|release\s)$")

_IPV4 = Pattern(r"(?s)[0-9](?<![0-9A-Za-z.].)[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?![0-9A-Za-z]|\.[0-9])")


def find_numbers(text: str) -> Spans:
    """Spans of telephones, documents and cards."""
    spans: Spans = []
    for run in _RUN().finditer(text):
        start, end = run.span()
        _in_run(text, start, end, spans)
    return spans


def _in_run(text: str, start: int, end: int, spans: Spans) -> None:
    groups: Groups = [group.span() for group in _GROUP().finditer(text, start, end)]
    digits = [text[first:last] for first, last in groups]
    index = 0
    while index < len(groups):
        if (
            len(digits[index]) < 3
            and sum(map(len, digits[index : index + 6])) < 7
            and text[groups[index][0] - 1] != "+"
        ):
            index += 1  # too few digits to be anybody's
            continue
        found = _at_group(text, groups, digits, index)
        if found is None:
            index += 1
            continue
        opening, closing, label = found
        if label and not _within_an_id(text, opening, closing):
            spans.append((opening, closing, label))
        index += 1
        while index < len(groups) and groups[index][0] < closing:
            index += 1


def _at_group(text: str, groups: Groups, digits: list[str], index: int) -> tuple[int, int, str] | None:
    """What begins at this group: (start, end, label), with an empty label for what stays as it is."""
    start, end = groups[index]
    own = digits[index]
    before = text[start - 1] if start else ""
    if before == "+":
        return _international(text, groups, digits, index, plus=True)
    kept = _KEEP().match(text, start)
    if kept is not None and not (len(own) == 8 and _before(text, start, _DOCUMENT_WORD())):
        return start, kept.end(), ""
    if own.startswith("00"):
        # 0.005491…, PED-00880964
        if _is_fraction(text, start) or (before == "-" and len(own) < 12 and text[start - 2 : start - 1].isalnum()):
            return None
        return _international(text, groups, digits, index, plus=False)
    if len(own) >= 7 and (index + 1 == len(groups) or groups[index + 1][0] > end):
        label = _bare(text, start, end, own)
        if label:
            return start, _behind_a_float(text, end), label
    if index + 1 < len(groups) or text[end : end + 1] == "-":
        return _grouped(text, groups, digits, index)
    return None


def _international(
    text: str, groups: Groups, digits: list[str], index: int, *, plus: bool
) -> tuple[int, int, str] | None:
    start = groups[index][0] - plus
    country = "".join(digits[index : index + 4])
    last = end_of_international(groups, index, digits, country if plus else country[2:])
    if not last or (not plus and country[2:3] in ("", "0")):
        return None
    if not plus and text[groups[last - 1][1] : groups[last - 1][1] + 1].isalnum():
        return None  # digits of a hash
    return start, groups[last - 1][1], "[phone]"


def _bare(text: str, start: int, end: int, digits: str) -> str:
    """The label of one unbroken row of digits; "" when it stays."""
    count = len(digits)
    if count > 16 or text[end : end + 1].isalpha() or _is_fraction(text, start):
        return ""
    if count == 12 and _before(text, start, _AWS_ACCOUNT()):
        return ""
    if 10 <= count <= 13 and CERTAIN().fullmatch(digits):
        return "[phone]"
    if _before(text, start, _DOCUMENT_WORD()) and count <= 14:
        return "[document]"
    if count == 11 and (documents.is_cpf(digits) or documents.is_cuit(digits)):
        return "" if _names_a_thing(text, start) else "[document]"
    if count == 14 and documents.is_cnpj(digits):
        return "" if _names_a_thing(text, start) else "[document]"
    if count >= 15:
        return "[card]" if documents.is_card(digits) and not _names_a_thing(text, start) else ""
    if 11 <= count <= 12 and MOBILE().fullmatch(digits) and not _before(text, start, _THING_WORD()):
        return "[phone]"
    if 9 <= count <= 13 and LIKELY().fullmatch(digits) and not _names_a_thing(text, start):
        return "[phone]"
    if count <= 13 and _before(text, start, _PHONE_WORD()) and not _is_time(digits):
        return "[phone]"
    return ""


def _grouped(text: str, groups: Groups, digits: list[str], index: int) -> tuple[int, int, str] | None:
    start = groups[index][0]
    written = _WRITTEN().match(text, start)
    if written is not None and _keeps_its_rule(text, start, written):
        return start, written.end(), "[card]" if written.lastgroup == "card" else "[document]"
    if not _is_fraction(text, start) and not _is_measure(text, start):
        with_country = _with_country(groups, digits, index)
        if with_country and not text[with_country : with_country + 1].isalnum():
            return start, with_country, "[phone]"
        # An area in brackets belongs to its number.
        opening = start - 1 if start and text[start - 1] == "(" else start
        national = NATIONAL().match(text, opening) or NATIONAL().match(text, start)
        if national is not None and _ends_well(text, national.end()):
            return national.start(), national.end(), "[phone]"
    shown = _DOTTED().match(text, start)
    if shown is not None and _before(text, start, _DOCUMENT_WORD()):
        return start, shown.end(), "[document]"
    return None


def _keeps_its_rule(text: str, start: int, written: re.Match[str]) -> bool:
    if written.lastgroup == "card":
        return documents.is_card(re.sub("[ -]", "", written.group()))
    if written.lastgroup == "plain_cpf":
        return documents.is_cpf(written.group().replace("-", ""))
    if written.lastgroup == "plain_rut":
        number, check = written.group().split("-")
        return documents.is_rut(number, check) and not _names_a_thing(text, start)
    return True


def _with_country(groups: Groups, digits: list[str], index: int) -> int:
    """Where a number ends that opens with its country and has no plus, and is written in groups; 0 if there is none."""
    if digits[index] not in COUNTRIES and not (3 <= len(digits[index]) <= 5 and digits[index][0] == "5"):
        return 0
    whole = digits[index]
    for place in range(index + 1, min(index + 6, len(groups))):
        whole += digits[place]
        if len(whole) > 13:
            return 0
        following = len(digits[place + 1]) if place + 1 < len(groups) else 9
        if len(whole) >= 10 and following >= 1 and (CERTAIN().fullmatch(whole) or _likely_country(whole)):
            return groups[place][1]
    return 0


def _likely_country(whole: str) -> bool:
    return len(whole) >= 11 and whole[0] in "135" and LIKELY().fullmatch(whole) is not None and whole[:2] != "11"


def _before(text: str, start: int, words: re.Pattern[str]) -> bool:
    return words.search(text[max(0, start - _BEFORE) : start].lower()) is not None


def _names_a_thing(text: str, start: int) -> bool:
    before = text[max(0, start - _BEFORE) : start].lower()
    if _THING_WORD().search(before) is not None:
        return True
    return _ID_WORD().search(before) is not None and _NOT_A_THING().search(before) is None


def _is_fraction(text: str, start: int) -> bool:
    return start >= 2 and text[start - 1] in ".," and text[start - 2].isdigit()


def _is_time(digits: str) -> bool:
    return (len(digits) == 10 and digits[0] == "1" and digits[1] in "45678") or (
        len(digits) == 13 and digits[:2] == "17"
    )


def _is_measure(text: str, start: int) -> bool:
    """Whether it is a row of measures, as in an access log, or an amount."""
    before = text[max(0, start - 8) : start].lower()
    return before.endswith(('" ', "$ ", "$", "/1.1 ", "status ", "http "))


def _ends_well(text: str, end: int) -> bool:
    following = text[end : end + 2]
    return not following[:1].isalnum() and not (following[:1] in (".", "-") and following[1:].isdigit())


def _behind_a_float(text: str, end: int) -> int:
    return end + 2 if text.startswith(".0", end) and not text[end + 2 : end + 3].isalnum() else end


def _within_an_id(text: str, start: int, end: int) -> bool:
    """Whether the digits are a part of a longer word, as in a UUID: letters of a hash on the other side of a dash."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if before != "-" and after != "-":
        return False
    return _UUID_AROUND().search(text[max(0, start - 28) : end + 28]) is not None


_UUID_AROUND = Pattern(
    r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}|[0-9a-f]{8}-[0-9a-f]{24}|-[0-9a-f]{32}-"
)


def find_ipv4(text: str) -> Spans:
    """Spans of IPv4 addresses; the machine itself (127.0.0.1, 0.0.0.0) and versions stay."""
    spans: Spans = []
    for found in _IPV4().finditer(text):
        address = found.group()
        if address in ("127.0.0.1", "0.0.0.0") or any(int(part) > 255 for part in address.split(".")):
            continue
        start = found.start()
        if not _before(text, start, _VERSION_WORD()) and not _PRODUCT().search(text[max(0, start - _BEFORE) : start]):
            spans.append((*found.span(), "[address]"))
    return spans
