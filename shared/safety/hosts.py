"""Where the links of a text lead, however they are written."""

import html
import re
from urllib.parse import unquote

from shared.safety.canonical import visible

# Addresses with a scheme or that begin with //, and names that people read as one.
_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]{1,15}:)?//+([^\s/?#<>()\[\]\"'`|]{1,253})|\b(?:javascript:|vbscript:|data:[a-z]+[/;,]|mailto:)"
)
_NAME = re.compile(r"(?<![@\w.-])((?:[^\W_](?:[\w-]{0,62}[^\W_])?\.){1,6}([a-z]{2,24}))(?![\w-])")
# What every name ends with, and what every address that is no name holds: without them nobody looks for either.
_ENDING = re.compile(r"\.([a-z]{2,24})(?![\w-])")
_SCHEMES = ("//", "javascript:", "vbscript:", "data:")
# Of the many endings those that links in messages have; a sentence without a space after its full stop has none.
_ENDINGS = frozenset((
    "com", "net", "org", "info", "biz", "io", "co", "app", "dev", "site", "online", "store", "shop", "xyz", "top",
    "club", "live", "link", "page", "click", "me", "tv", "cc", "ly", "gl", "gg", "ai", "eu", "us", "uk", "br",
    "ar", "mx", "cl", "pe", "ec", "uy", "py", "bo", "ve", "cr", "pa", "gt", "hn", "ni", "sv", "do", "cu", "pr",
    "es", "pt", "ru", "cn", "to", "im", "ws", "example", "test", "ngrok", "run", "cloud", "tech",
))  # fmt: skip
# An address that runs something leads to no host, and is nobody's.
DANGEROUS = "dangerous scheme"
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
    low = low.replace("hxxp", "http").replace("[.]", ".").replace("(.)", ".").replace("\\", "/")
    found: set[str] = set()
    if any(scheme in low for scheme in _SCHEMES):
        for word in [word for word in low.split() if "//" in word or ":" in word]:
            found.update(map(_host, _ADDRESS.finditer(word)))
    if not _ENDINGS.isdisjoint(_ENDING.findall(low)):
        for word in [word for word in low.split() if "." in word and not _ENDINGS.isdisjoint(_ENDING.findall(word))]:
            found.update([name for name, ending in _NAME.findall(word) if ending in _ENDINGS])
    return {host.removeprefix("www.") for host in found if host}


def _host(address: re.Match[str]) -> str:
    if address[1] is None:
        return "" if address[0].startswith("mailto") else DANGEROUS
    # What stands before the last @ is a user's name, whatever it looks like.
    return address[1].rpartition("@")[2].partition(":")[0].strip(".")
