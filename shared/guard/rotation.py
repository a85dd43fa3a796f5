"""Secrets are lists, so that they can be rotated without a gap; this is how it is seen that a rotation is not over."""

import logging

from shared.settings import Secret

log = logging.getLogger("portero")


def count_old(place: int, secret: Secret) -> None:
    """A hit on a secret that is not the newest (`place` 0): the other side has not been given the new one yet."""
    if place:
        # Not under the name "secret", whose value the log would mask.
        log.warning("old secret", extra={"parameter": secret.value, "place": place})
