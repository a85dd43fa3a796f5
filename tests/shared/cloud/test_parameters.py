"""Secrets as lists with an expiry; the store is answered for without a network."""

import json
import threading
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import clock, metrics
from shared.cloud import aws, parameters
from shared.cloud.parameters import KEEP_SECONDS, STALE_SECONDS
from shared.errors import Unavailable
from shared.settings import Secret
from tests.logged import lines_logged

NEW, BEFORE, OLD = ("new" + "n" * 29, "before" + "b" * 26, "old" + "o" * 29)
NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z


class Store:
    """The parameter store: what it holds, and how often it was asked."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.waits: list[float] = []
        self.away = False
        self.problem = "upstream_timeout"

    @property
    def calls(self) -> int:
        return len(self.waits)

    def put(self, secret: Secret, entries: object) -> None:
        self.held[f"/portero/test/{secret}"] = entries if isinstance(entries, str) else json.dumps(entries)

    def answer(self, service, url, target, version, body, seconds) -> dict[str, object]:
        self.waits.append(seconds)
        if self.away:
            raise Unavailable(self.problem)
        return {"Parameters": [{"Name": name, "Value": self.held[name]} for name in body["Names"] if name in self.held]}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    held = Store()
    monkeypatch.setattr(aws, "call_json", held.answer)
    monkeypatch.setenv("PARAMETER_PREFIX", "/portero/test")
    monkeypatch.setenv("AWS_REGION", "sa-east-1")
    parameters.forget()
    return held


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(Unavailable) as caught:
        act()
    return caught.value.name


def test_live_values_newest_first_and_expired_ones_are_dropped(store):
    store.put(
        Secret.QUEUE_KEY,
        [
            {"value": NEW, "expires": None},
            {"value": BEFORE, "expires": "2027-01-15T08:00:01Z"},
            {"value": OLD, "expires": "2027-01-15T07:59:59Z"},
        ],
    )
    with clock.held_at(NOW):
        assert parameters.live(Secret.QUEUE_KEY) == (NEW, BEFORE)
        assert parameters.current(Secret.QUEUE_KEY) == NEW


def entry(**changed: object) -> dict[str, object]:
    return {"value": NEW, "expires": None} | changed


@pytest.mark.parametrize(
    ("entries", "name"),
    [
        ([entry()], None),
        ([entry(expires="2027-01-15T08:00:01Z"), entry(value=OLD)], None),
        ([entry(expires="2027-01-15T05:00:01.5-03:00")], None),
        ([entry(expires="2020-01-01T00:00:00Z")], "secret_missing_QUEUE_KEY"),
        ([entry(value="")], "secret_too_short_QUEUE_KEY"),
        ([entry(value="x" * 31)], "secret_too_short_QUEUE_KEY"),
        # The short one may be live when the other has expired.
        ([entry(), entry(value="x")], "secret_too_short_QUEUE_KEY"),
        *[
            (malformed, "secret_malformed_QUEUE_KEY")
            for malformed in (
                *("the bare secret", "", "null", "1", '"x"', "NaN", "[" * 100_000, "1" * 5000),
                *({}, entry(), [], [None], [NEW], [[NEW, None]], [entry(), {}]),
                *([entry(value=value)] for value in (None, 1, 1.5, True, [NEW], {"value": NEW})),
                *(
                    [entry(value=value)]
                    for value in ("  ", f" {NEW}", f"{NEW}\n", f"{NEW} {OLD}", f"{NEW}\0", "ñ" * 32)
                ),
                *([entry(expires=moment)] for moment in (0, 1.5, True, [], {}, "", "some day", "null", "2027-01-15")),
                *(
                    [entry(expires=f"2027-01-15{moment}")]
                    for moment in ("T08:00:01", " 08:00:01Z", "T08:00:61Z", "T08Z")
                ),
                *(
                    [entry(expires=moment)]
                    for moment in ("20270115T080001Z", "2027-02-30T08:00:01Z", "२०२७-01-15T08:00:01Z")
                ),
                *([{"value": NEW}], [{"expires": None}], [entry(note="x")]),
                f'[{{"value": "{NEW}", "value": "{OLD}", "expires": null}}]',
                f'[{{"value": "{NEW}", "expires": "2020-01-01T00:00:00Z", "expires": null}}]',
            )
        ],
    ],
)
def test_a_secret_has_a_live_value_or_stops_the_function_by_name(store, entries, name):
    store.put(Secret.QUEUE_KEY, entries)
    with clock.held_at(NOW):
        if name is None:
            assert parameters.current(Secret.QUEUE_KEY) == NEW
        else:
            assert refusal(lambda: parameters.live(Secret.QUEUE_KEY)) == name


@pytest.mark.parametrize("secret", list(Secret))
def test_secrets_have_a_shortest_length_and_our_own_a_greater_one(store, secret):
    least = 32 if secret in ("QUEUE_KEY", "CRON_SECRET", "PSEUDONYM_KEY", "META_VERIFY_TOKEN") else 16
    with clock.held_at(NOW):
        store.put(secret, [entry(value="x" * (least - 1))])
        assert refusal(lambda: parameters.live(secret)) == f"secret_too_short_{secret}"
        parameters.forget()
        store.put(secret, [entry(value="x" * least)])
        assert parameters.current(secret) == "x" * least


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([NEW, "2027-01-15T08:00:01Z"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["value", "expires"]) | st.text(), inner, max_size=3)
        | st.fixed_dictionaries({"value": inner, "expires": inner})
    ),
    max_leaves=8,
)


@given(text=st.lists(JSON, max_size=3).map(json.dumps) | JSON.map(json.dumps) | st.text())
def test_whatever_the_store_holds_is_well_formed_or_refused_by_name(text):
    try:
        values = parameters._parse(Secret.QUEUE_KEY, text)
    except Unavailable as problem:
        name = problem.name
    else:
        name, held = "", json.loads(text)
    if name:
        assert name in ("secret_malformed_QUEUE_KEY", "secret_too_short_QUEUE_KEY")
        return
    assert [value for value, _ in values] == [each["value"] for each in held]
    assert all(
        type(value) is str and len(value.encode()) >= 32 and value == "".join(value.split()) for value, _ in values
    )
    for each, (_, expires) in zip(held, values, strict=True):
        assert expires == (
            float("inf") if each["expires"] is None else datetime.fromisoformat(each["expires"]).timestamp()
        )


def test_an_absent_secret_stops_the_function_by_name(store):
    assert refusal(lambda: parameters.live(Secret.QUEUE_KEY)) == "secret_missing_QUEUE_KEY"


def test_all_secrets_of_a_function_are_one_call_and_kept_for_minutes(store):
    for secret in (Secret.QUEUE_KEY, Secret.AI_API_KEY):
        store.put(secret, [entry(value=OLD)])
    with clock.held_at(NOW):
        parameters.prepare([Secret.QUEUE_KEY, Secret.AI_API_KEY])
        parameters.live(Secret.AI_API_KEY)
        assert store.calls == 1
    store.put(Secret.QUEUE_KEY, [entry()])
    with clock.held_at(NOW + KEEP_SECONDS + 1):
        assert parameters.current(Secret.QUEUE_KEY) == NEW


@pytest.fixture
def stale(store) -> Store:
    """Two secrets that were read at NOW; what fails does so from then on."""
    for secret in (Secret.QUEUE_KEY, Secret.AI_API_KEY):
        store.put(secret, [entry()])
    with clock.held_at(NOW):
        parameters.prepare([Secret.QUEUE_KEY, Secret.AI_API_KEY])
    store.waits.clear()
    return store


def test_while_the_store_is_away_cached_values_serve_for_an_hour(stale):
    stale.away = True
    for age in (KEEP_SECONDS + 1, STALE_SECONDS - 1):
        with clock.held_at(NOW + age):
            assert parameters.live(Secret.QUEUE_KEY) == (NEW,)
    with clock.held_at(NOW + STALE_SECONDS):
        assert refusal(lambda: parameters.live(Secret.QUEUE_KEY)) == "upstream_timeout"
    stale.away = False
    with clock.held_at(NOW + STALE_SECONDS + 1):
        assert parameters.live(Secret.QUEUE_KEY) == (NEW,)


def test_a_value_that_expires_while_the_store_is_away_serves_no_longer(store):
    store.put(Secret.QUEUE_KEY, [entry(expires="2027-01-15T08:10:00Z")])
    with clock.held_at(NOW):
        parameters.prepare([Secret.QUEUE_KEY])
    store.away = True
    with clock.held_at(NOW + 599):
        assert parameters.live(Secret.QUEUE_KEY) == (NEW,)
    with clock.held_at(NOW + 600):
        assert refusal(lambda: parameters.live(Secret.QUEUE_KEY)) == "secret_missing_QUEUE_KEY"


def test_a_store_that_hangs_costs_one_request_a_short_wait_and_the_others_none(stale):
    stale.away = True
    tries = []
    for second in range(KEEP_SECONDS, STALE_SECONDS):
        with clock.held_at(NOW + second):
            for _ in range(3):
                parameters.prepare([Secret.QUEUE_KEY, Secret.AI_API_KEY])
                parameters.live(Secret.QUEUE_KEY)
        if stale.calls > len(tries):
            tries.append(second - KEEP_SECONDS)
    assert tries[:6] == [0, 5, 15, 35, 75, 135]
    assert {later - sooner for sooner, later in pairwise(tries[4:])} == {60}
    assert stale.calls == len(tries)
    assert max(stale.waits) <= 0.5
    stale.away = False
    with clock.held_at(NOW + STALE_SECONDS - 1 + 60):
        parameters.prepare([Secret.QUEUE_KEY])
    calls = stale.calls
    with clock.held_at(NOW + STALE_SECONDS + 60):
        parameters.prepare([Secret.QUEUE_KEY])
        assert stale.calls == calls


def test_without_any_value_a_failure_that_costs_no_time_is_tried_again_at_once(store):
    store.away, store.problem = True, "upstream_connect_ConnectionRefusedError"
    with clock.held_at(NOW):
        for calls in (1, 2, 3):
            assert refusal(lambda: parameters.prepare([Secret.QUEUE_KEY])) == store.problem
            assert store.calls == calls
        store.away = False
        store.put(Secret.QUEUE_KEY, [entry()])
        assert parameters.live(Secret.QUEUE_KEY) == (NEW,)


def test_without_any_value_a_call_waits_a_second_at_most_and_the_next_ones_not_at_all(store):
    store.away = True
    for second, calls in ((0, 1), (0.5, 1), (1, 2), (1.5, 2), (2, 3)):
        with clock.held_at(NOW + second):
            assert refusal(lambda: parameters.prepare(Secret)) == "upstream_timeout"
            assert store.calls == calls
    assert max(store.waits) <= 1.0
    store.away = False
    for secret in Secret:
        store.put(secret, [entry()])
    with clock.held_at(NOW + 3):
        parameters.prepare(Secret)
        # Two calls, since one takes ten names; both within the one second.
        assert (store.calls, store.waits[-1] < store.waits[-2] <= 1.0) == (5, True)


def test_a_refresh_that_goes_on_is_not_waited_for_and_not_repeated(stale, monkeypatch):
    begun, end = threading.Event(), threading.Event()

    def slowly(*arguments: object) -> dict[str, object]:
        begun.set()
        assert end.wait(10)
        return stale.answer(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(aws, "call_json", slowly)
    with clock.held_at(NOW + KEEP_SECONDS + 1):
        first = threading.Thread(target=parameters.prepare, args=([Secret.QUEUE_KEY],))
        first.start()
        assert begun.wait(10)
        begun.clear()
        assert parameters.live(Secret.QUEUE_KEY) == (NEW,)
        assert not begun.is_set()
        end.set()
        first.join(10)
    assert stale.calls == 1


class Busy:
    """A lock that another call holds."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def acquire(self, timeout: float) -> bool:
        self.waits.append(timeout)
        return False


def test_only_a_call_without_a_value_waits_for_a_refresh_that_goes_on(stale, monkeypatch):
    busy = Busy()
    monkeypatch.setattr(parameters, "_fetching", busy)
    with clock.held_at(NOW + KEEP_SECONDS + 1):
        assert parameters.live(Secret.QUEUE_KEY) == (NEW,)
    with clock.held_at(NOW + STALE_SECONDS + 1):
        assert refusal(lambda: parameters.live(Secret.QUEUE_KEY)) == "secret_fetch_busy"
    assert busy.waits == [0, 1.0]
    assert stale.calls == 0


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        ("null", "secret_malformed_QUEUE_KEY"),
        ([entry(value=None)], "secret_malformed_QUEUE_KEY"),
        ([entry(value="short")], "secret_too_short_QUEUE_KEY"),
    ],
)
def test_a_malformed_value_never_replaces_a_good_one(stale, held, reason):
    stale.put(Secret.QUEUE_KEY, held)
    stale.put(Secret.AI_API_KEY, [entry(value=OLD)])
    with clock.held_at(NOW + KEEP_SECONDS + 1), lines_logged() as lines:
        parameters.prepare([Secret.QUEUE_KEY, Secret.AI_API_KEY])
        assert parameters.live(Secret.QUEUE_KEY) == (NEW,)
        # What is well formed is taken all the same.
        assert parameters.live(Secret.AI_API_KEY) == (OLD,)
    assert [json.loads(line)["reason"] for line in lines] == [reason]
    with clock.held_at(NOW + STALE_SECONDS + 1):
        assert refusal(lambda: parameters.live(Secret.QUEUE_KEY)) == reason


def test_a_parameter_that_was_deleted_serves_no_longer(stale):
    stale.held.clear()
    with clock.held_at(NOW + KEEP_SECONDS + 1):
        assert refusal(lambda: parameters.live(Secret.QUEUE_KEY)) == "secret_missing_QUEUE_KEY"


def test_a_call_that_is_served_with_stale_secrets_says_so(stale):
    def counted(age: float) -> tuple[object, list[str]]:
        with clock.held_at(NOW + age), metrics.noting(), lines_logged() as lines:
            for _ in range(3):
                parameters.prepare([Secret.QUEUE_KEY, Secret.AI_API_KEY])
            return metrics.noted().get("stale_secrets"), [json.loads(line)["event"] for line in lines]

    assert counted(KEEP_SECONDS - 1) == (None, [])
    stale.away = True
    assert counted(KEEP_SECONDS) == (1, ["stale secrets in use"])
    # The metric with every call, the line with every try.
    assert counted(KEEP_SECONDS + 1) == (1, [])
    stale.away = False
    assert counted(KEEP_SECONDS + 6) == (None, [])


@pytest.mark.parametrize("answer", [{}, {"Parameters": None}, {"Parameters": [None]}, {"Parameters": [{"Name": "x"}]}])
def test_an_answer_of_another_shape_is_refused_by_name(store, monkeypatch, answer):
    monkeypatch.setattr(aws, "call_json", lambda *arguments: answer)
    assert refusal(lambda: parameters.live(Secret.QUEUE_KEY)) == "ssm_malformed"
