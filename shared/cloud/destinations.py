"""The outside services that may be called, each by the setting that names its address.

A URL may come from a row, a webhook or a provider's response. It is called only if its origin is one of the
destination's, so that no caller can be led to another host.
"""

import re
from functools import cache
from typing import NamedTuple

from shared.errors import Unavailable
from shared.settings import Address, Setting, address_of, read, read_optional, read_url


class Aws(NamedTuple):
    """A service of AWS by the name in its address, such as "sqs"."""

    service: str


# A setting that holds one URL, or the list of origins of MEDIA_HOSTS.
Destination = Setting | Aws

_REGION = re.compile(r"[a-z0-9-]{1,30}")
_ANY_SUBDOMAIN = "https://*."


def admitted(destination: Destination, url: str) -> Address | None:
    """Split a URL; None if it is malformed or not of this destination.

    Raises Unavailable (`setting_missing_<NAME>`, `setting_malformed_<NAME>`).
    """
    address = address_of(url)
    if address is None:
        return None
    whole, domains = _origins(destination)
    # On a host that is known by its domain only, another port is another server.
    has_default_port = address.scheme == "https" and address.netloc == address.host
    is_admitted = address.origin in whole or (has_default_port and address.host.endswith(domains))
    return address if is_admitted else None


def aws_base_url(service: str) -> str:
    """Base URL of a service in the function's region, or the one address that replaces them all.

    Raises Unavailable (`setting_missing_AWS_REGION`, `setting_malformed_<NAME>`).
    """
    if read_optional(Setting.AWS_ENDPOINT_URL):
        return read_url(Setting.AWS_ENDPOINT_URL)
    region = read(Setting.AWS_REGION)
    if not _REGION.fullmatch(region):
        # It is a part of a host's name.
        raise Unavailable(f"setting_malformed_{Setting.AWS_REGION}")
    return f"https://{service}.{region}.amazonaws.com"


class _Origins(NamedTuple):
    """Whole origins, and domains with a dot in front, of which every subdomain is meant."""

    whole: frozenset[str]
    domains: tuple[str, ...]


def _origins(destination: Destination) -> _Origins:
    if isinstance(destination, Aws):
        return _parse("AWS_ENDPOINT_URL", aws_base_url(destination.service))
    if destination is Setting.MEDIA_HOSTS:
        return _parse(destination, read(destination))
    return _parse(destination, read_url(destination))


@cache
def _parse(setting: str, text: str) -> _Origins:
    """The origins in a setting, divided by spaces. Raises Unavailable (`setting_malformed_<NAME>`)."""
    whole, domains = set(), []
    for url in text.split():
        is_wildcard = url.startswith(_ANY_SUBDOMAIN)
        address = address_of(url.replace("*.", "", 1) if is_wildcard else url)
        # Of a list each member is an origin; one address has a path too.
        if address is None or ((is_wildcard or setting == Setting.MEDIA_HOSTS) and address.target):
            raise Unavailable(f"setting_malformed_{setting}")
        if is_wildcard:
            domains.append(f".{address.netloc}")
        else:
            whole.add(address.origin)
    return _Origins(frozenset(whole), tuple(domains))
