"""Mask people and secrets in text that leaves for a log or a report.

Two passes over a finished line: `redact` removes secrets by their shape, `mask_pii` removes phone numbers and e-mail
addresses. Ids, hashes, amounts and times stay as they are, for the people who look for a fault at night.
"""

import re

# Each half opens with what all its alternatives have in common: the engine leaves a place where none can begin after
# one look, which makes a log line several times cheaper.
_SECRETS = re.compile(
    r"""(?x)
    (?=[AETeprs]) \b (?:
        sb_secret_[\w-]+ | sbp_[0-9a-f]{40}\b
      | EAA[A-Za-z][A-Za-z0-9]{60,}
      | APP_USR-[\w-]{20,} | TEST-\d{12,}-[\w-]+
      | pdl_(?:live|sdbx)_apikey_\w+ | pdl_ntfset_[\w+/=-]+
      | (?:sk|rk)[-_](?:live_|test_|proj-|ant-|local-)?[\w-]{20,}
      | (?:AKIA|ASIA)[A-Z2-7]{16}\b
      | eyJ[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]*)?
    )
  | (?<=[=\ ]) (?:
        (?<=sha256=)[0-9a-fA-F]{64}
      | (?i:(?<=bearer\ )[\w.~+/=-]{8,})
      | (?i:(?:(?<=token=)|(?<=apikey=)|(?<=secret=)|(?<=password=)|(?<=signature=))[^\s&"',}\]]+)
    )
    """
)

# A wamid is base64 of a structure that holds the customer's phone; its tail is enough to trace by.
_WAMID = re.compile(r"\bwamid\.[A-Za-z0-9+/=_-]{20,}")

_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+(?:@|%40|%2540)[\w-]+(?:\.[\w-]+)+")

# A plus with 8 to 15 digits, or a bare international number of the Americas and Iberia (wa_id), alone or in an URL.
_PHONE = re.compile(
    r"""(?x)
    (?<![\w.-]) (?:\+|%2B|00) \d (?:[\s().\u00a0\u2011\u2013-]?\d){7,14} (?![\w])
  | (?<![\w.:/-]) (?:(?:5(?:1|2|21|3|4|49|5|6|7|8|9\d)|351) [1-9]\d{7,10} | 34 [67]\d{8} | 1 [2-9]\d{9}) (?![\w.-])
  | (?<![\w.-]) \(?\d{2,3}\)[\s-]?9?\d{4}[\s-]?\d{4} (?!\w)
    """
)


def redact(text: str) -> str:
    """The text with every secret that has a known shape replaced by `[secret]`."""
    return _SECRETS.sub("[secret]", text)


def mask_pii(text: str) -> str:
    """The text with e-mail addresses, phone numbers and the phone inside WhatsApp message ids replaced."""
    text = _WAMID.sub(lambda found: f"wamid~{found.group()[-8:]}", text)
    # Most lines hold neither sign of an address, and looking for its first half is the dear part.
    if "@" in text or "%" in text:
        text = _EMAIL.sub("[email]", text)
    return _PHONE.sub("[phone]", text)


def scrub(text: str) -> str:
    """Both: `mask_pii(redact(text))`."""
    return mask_pii(redact(text))
