"""Where the links of a text lead, however they are written."""

import html
import re
from urllib.parse import unquote

from shared.safety.canonical import visible

# What stands behind the slashes of an address, and addresses that run something.
_ADDRESS = re.compile(r"//+([^\s/?#<>()\[\]\"'`|]{1,253})")
_RUNS = re.compile(r"\b(?:javascript:|vbscript:|data:[a-z]+[/;,])")
# Names that people read as an address, and what each of them ends with: without it nobody looks for one.
_NAME = re.compile(r"(?<![@\w.-])((?:[^\W_](?:[\w-]{0,62}[^\W_])?\.){1,6}([a-z]{2,24}))(?![\w-])")
_ENDING = re.compile(r"\.([a-z]{2,24})(?![\w-])")
_REST, _LONGEST_NAME = re.compile(r"[\w.-]*"), 400
# Of the many endings those that links in messages have; a sentence without a space after its full stop has none.
_ENDINGS = frozenset((
    "com", "net", "org", "info", "biz", "io", "co", "app", "dev", "site", "online", "store", "shop", "xyz", "top",
    "club", "live", "link", "page", "click", "me", "tv", "cc", "ly", "gl", "gg", "ai", "eu", "us", "uk", "br",
    "ar", "mx", "cl", "pe", "ec", "uy", "py", "bo", "ve", "cr", "pa", "gt", "hn", "ni", "sv", "do", "cu", "pr",
    "es", "pt", "ru", "cn", "to", "im", "ws", "example", "test", "ngrok", "run", "cloud", "tech",
))  # fmt: skip
# An address that runs something leads to no host, and is nobody's.
DANGEROUS = "dangerous scheme"
# How an address is written so that nobody sees one.
_WRITTEN = (("[.]", "."), ("(.)", "."), ("\\", "/"))
_LONG_ENTITY = re.compile(r"&#x?[0-9a-f]{8,};?", re.IGNORECASE)


def unescaped(text: str) -> str:
    """The text with HTML's entities as the characters they stand for; numbers that are no character's are left out."""
    return html.unescape(_LONG_ENTITY.sub("", text))


def hosts_in(text: str) -> set[str]:
    """Hosts, small, without user and port; for an address that runs something, a name that no host has."""
    low = visible(text).lower()
    if "&" in low:
        low = unescaped(low)
    if "%" in low:
        low = unquote(low)
    for written, meant in _WRITTEN:
        if written[0] in low:
            low = low.replace(written, meant)
    found = {_host(address) for address in _ADDRESS.findall(low)} | _names(low)
    if any(scheme in low for scheme in ("script:", "data:")) and _RUNS.search(low):
        found.add(DANGEROUS)
    return {host.removeprefix("www.") for host in found if host}


def _names(low: str) -> set[str]:
    found: set[str] = set()
    end = 0
    for ending in _ENDING.finditer(low):
        if ending[1] in _ENDINGS and ending.end() > end:
            end = _end_of_name(low, ending.end())
            word = low[max(0, ending.start() - _LONGEST_NAME) : end].split()[-1]
            found.update([name for name, last in _NAME.findall(word) if last in _ENDINGS])
    return found


def _end_of_name(low: str, place: int) -> int:
    rest = _REST.match(low, place)
    return rest.end() if rest else place


def _host(address: str) -> str:
    # What stands before the last @ is a user's name, whatever it looks like.
    return address.rpartition("@")[2].partition(":")[0].strip(".")
