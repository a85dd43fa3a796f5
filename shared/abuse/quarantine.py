"""Bounds on deliveries that no signature proves: anybody can send them, so each sender and all together get a rate.

One environment counts for itself. The database bounds the rows (keep_billing_event), for all environments.
"""

import logging

from shared import metrics
from shared.abuse.local_rate import LocalRate, source_key
from shared.errors import Refused

# Deliveries a minute from one source (an IPv4 address, or a /64 of IPv6). The provider retries the others.
SOURCE_RATE = 20
# Deliveries a minute from all sources.
TOTAL_RATE = 60
# Seconds between two alerts of one environment.
ALERT_SECONDS = 600

log = logging.getLogger("portero")

_by_source = LocalRate(SOURCE_RATE, 60)
_total = LocalRate(TOTAL_RATE, 60)
_alerts = LocalRate(1, ALERT_SECONDS)


def admit(source_ip: str, now: float) -> None:
    """Count one unverified delivery. `now` in seconds since the epoch.

    Raises Refused: `quarantine_source_full` (this source), `quarantine_full` (all sources, with an alert).
    """
    wait = _by_source.wait(source_key(source_ip), now)
    if wait:
        raise Refused("quarantine_source_full", 429, retry_after=wait)
    wait = _total.wait("", now)
    if wait:
        if not _alerts.wait("", now):
            log.error("quarantine is full", extra={"unverified": "quarantine_full"})
            metrics.note_quarantine_full()
        raise Refused("quarantine_full", 429, retry_after=wait)


def forget() -> None:
    """Start counting from zero, as a fresh environment does."""
    for rate in (_by_source, _total, _alerts):
        rate.forget()
