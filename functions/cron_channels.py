"""A schedule calls every ten minutes.

Meta is asked about channels that were not looked at for a day: whether their token is still good, and whether it still
tells us of them; a subscription that is gone is renewed. The answer counts what was found; the owner sees it too.
"""

import logging
from collections import Counter

from shared.data import store
from shared.errors import Unavailable
from shared.guard import Request, Response, cron, guard
from shared.messaging.access import token_of
from shared.messaging.accounts import health_of

log = logging.getLogger("portero")

GUARD = guard(
    cron(),
    seconds=25.0,
    secrets=("CRON_SECRET", "SUPABASE_SECRET_KEY", "META_ACCESS_TOKEN"),
    writes=("channels", "audit_log"),
    store_down="refuse",
)

DAY = 86_400
CHANNELS = 100
# With less than this left no further channel is asked about.
LEAST_SECONDS = 6.0


@GUARD
def handler(request: Request) -> Response:
    """Ask about those that wait longest, as far as the time goes."""
    found: Counter[str] = Counter()
    for due in store.channels_to_check(DAY, CHANNELS, request.deadline):
        if request.deadline.remaining() < LEAST_SECONDS:
            break
        found[_check(due.tenant, due.channel, request)] += 1
    broken = found.total() - found["good"] - found["unreachable"]
    if broken:
        log.error("channels to connect again", extra={"count": broken})
    return Response(body=dict(found))


def _check(tenant: str, channel: str, request: Request) -> str:
    """What was found, and written down; "unreachable" is not, so that it is asked again."""
    facts = store.channel_facts(tenant, channel, request.deadline)
    try:
        token = token_of(tenant, facts.credential, request.deadline)
        health = health_of(facts, token, request.deadline)
    except Unavailable as problem:
        log.warning("channel not checked", extra={"problem": problem.name})
        return "unreachable"
    store.note_channel(tenant, channel, health, request.deadline)
    return health
