"""Which key a call takes, and what each refusal does to it. Time is put forward, never waited for."""

from datetime import datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import orjson
import pytest
from structlog.testing import capture_logs
from tests.support.clock import START, FakeClock
from tests.support.google import FakeGoogle, bad_key, daily, detail, failure, overloaded, quota
from tests.upstream.support import BODY, HELLO, LITE, MODEL, Seen, upstream

from gemgate.gemini.errors import GeminiError, decode_error
from gemgate.upstream.cooldowns import Cooldown, CooldownReason
from gemgate.upstream.daily_quota import GRACE, quota_reset
from gemgate.upstream.errors import NoUsableKeyError
from gemgate.upstream.key_pool import (
    COOL_DOWN,
    NO_QUOTA,
    REFUSED,
    Key,
    KeyPool,
    label_of,
)
from gemgate.upstream.targets import Target

PACIFIC = ZoneInfo("America/Los_Angeles")
ONE, TWO, THREE = "key-one", "key-two", "key-three"
GOOD = httpx.Response(200, json=HELLO)


def error_of(response: httpx.Response) -> GeminiError:
    return decode_error(response.status_code, response.content, "application/json")


def chosen(pool: KeyPool, model: str = MODEL) -> Key:
    key = pool.choose(Target(model))
    assert key is not None
    return key


class TestChoice:
    def test_the_key_with_the_least_calls_is_taken(self) -> None:
        pool = KeyPool((ONE, TWO, THREE))
        for key, load in zip((ONE, TWO, THREE), (3, 1, 2), strict=True):
            found = pool.find(key)
            assert found is not None
            found.in_flight = load
        assert [chosen(pool).secret for _ in range(4)] == [TWO] * 4

    def test_keys_with_the_same_load_take_turns(self) -> None:
        pool = KeyPool((ONE, TWO, THREE))
        assert [chosen(pool).secret for _ in range(4)] == [ONE, TWO, THREE, ONE]

    def test_a_key_given_twice_counts_once(self) -> None:
        assert len(KeyPool((ONE, TWO, ONE))) == 2

    def test_an_avoided_key_is_taken_when_there_is_no_other(self) -> None:
        pool = KeyPool((ONE, TWO))
        one, two = pool.find(ONE), pool.find(TWO)
        assert one is not None
        assert two is not None
        one.in_flight, two.in_flight = 1, 5
        assert pool.choose(Target(MODEL), [one]) is two
        assert pool.choose(Target(MODEL), [one, two]) is one

    async def test_a_call_counts_while_it_runs_and_no_longer(self) -> None:
        loads: list[list[int]] = []

        def answer(_request: httpx.Request) -> httpx.Response:
            loads.append([key.in_flight for key in way.snapshot().keys])
            return GOOD

        async with upstream(FakeGoogle(answer), ONE, TWO) as way:
            await way.generate(MODEL, BODY, None)
            await way.generate(MODEL, BODY, None)
            loads.append([key.in_flight for key in way.snapshot().keys])
        assert loads == [[1, 0], [0, 1], [0, 0]]

    async def test_a_stream_counts_until_it_is_left(self) -> None:
        def stream(_request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, content=b"data: " + orjson.dumps(HELLO) + b"\r\n\r\n")

        async with upstream(FakeGoogle(stream), ONE, TWO) as way:
            async with way.stream(MODEL, BODY, None) as batches:
                assert [key.in_flight for key in way.snapshot().keys] == [1, 0]
                assert [events async for _, events in batches] == [[HELLO]]
            assert [key.in_flight for key in way.snapshot().keys] == [0, 0]


def refusals() -> list[Any]:
    minute, day = CooldownReason.RATE_LIMIT, CooldownReason.QUOTA
    key, pair = CooldownReason.KEY_REFUSED, CooldownReason.REFUSED
    location = "User location is not supported for the API use."
    file = "You do not have permission to access the File abc or it may not exist."
    no_quota = "Quota exceeded for metric: x, limit: 0, model: y"
    rows: list[tuple[str, httpx.Response, CooldownReason | None, float]] = [
        ("429 with RetryInfo", quota("48s"), minute, 48),
        ("429 with a fraction", quota("34.4s"), minute, 34.4),
        ("429 with the time in its text", quota(None, message="Please retry in 1m2s."), minute, 62),
        ("429 without a time", quota(None, ""), minute, COOL_DOWN),
        ("429 that wants no wait", quota("0s"), minute, 1),
        ("429 of a day", daily(), day, 12 * 3600),
        ("429 of a quota of 0", quota("48s", message=no_quota), day, NO_QUOTA),
        ("429 without credit", quota(None, "", message="Your prepayment credits are depleted."), day, NO_QUOTA),
        ("400 of a bad key", bad_key(), key, REFUSED[0]),
        ("400 of an expired key", failure(400, "API key expired. Please renew the API key."), key, REFUSED[0]),
        ("401", failure(401, "Request had invalid authentication credentials."), key, REFUSED[0]),
        ("403 of an API that is off", failure(403, "x", detail("ErrorInfo", reason="SERVICE_DISABLED")), key, 60),
        ("403 of a leaked key", failure(403, "Your API key was reported as leaked."), key, 60),
        ("403 of a suspended project", failure(403, "Consumer 'x' has been suspended."), key, 60),
        ("403 that names no reason", failure(403, "The caller does not have permission"), pair, 60),
        ("403 that echoes a caller's name", failure(403, "No permission for tunedModels/api_key-1"), pair, 60),
        ("403 of a foreign file", failure(403, file), None, 0),
        ("403 of a foreign cache", failure(403, "CachedContent not found (or permission denied)"), None, 0),
        ("403 of the place", failure(403, location), None, 0),
        ("400", failure(400, "Request contains an invalid argument."), None, 0),
        ("400 of the place", failure(400, location), None, 0),
        ("404", failure(404, "models/x is not found"), None, 0),
        ("413", failure(413), None, 0),
        ("500", failure(500), None, 0),
        ("503", overloaded(), None, 0),
    ]
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


@pytest.mark.parametrize(("refusal", "kind", "seconds"), refusals())
async def test_what_a_refusal_does_to_the_key(
    refusal: httpx.Response, kind: CooldownReason | None, seconds: float
) -> None:
    clock = FakeClock()
    async with upstream(FakeGoogle(refusal), ONE, clock=clock, retries=0) as way:
        with pytest.raises(GeminiError):
            await way.generate(MODEL, BODY, None)
        (state,) = way.snapshot().keys
        other_model = way.shared.pool.choose(Target(LITE))
    if kind is CooldownReason.KEY_REFUSED:
        assert state.cooldown is not None
        assert (state.cooldown.kind, state.cooldown.model, state.models) == (kind, "", ())
        assert state.cooldown.until == pytest.approx(START + seconds)
        assert other_model is None
        return
    assert state.cooldown is None
    assert other_model is not None
    assert [(cooldown.kind, cooldown.model) for cooldown in state.models] == ([(kind, MODEL)] if kind else [])
    assert [cooldown.until for cooldown in state.models] == pytest.approx([START + seconds] if kind else [])


async def test_a_cooled_pair_leaves_the_key_to_other_models_and_comes_back() -> None:
    google, clock = FakeGoogle(GOOD), FakeClock()
    google.by_key[ONE] = [quota("48s"), GOOD]
    async with upstream(google, ONE, TWO, clock=clock) as way:
        await way.generate(MODEL, BODY, None)
        assert google.keys == [ONE, TWO]
        assert {chosen(way.shared.pool, LITE).secret for _ in range(4)} == {ONE, TWO}
        assert {chosen(way.shared.pool).secret for _ in range(4)} == {TWO}
        clock.now += 47.9
        assert {chosen(way.shared.pool).secret for _ in range(4)} == {TWO}
        clock.now += 0.2
        assert {chosen(way.shared.pool).secret for _ in range(4)} == {ONE, TWO}
        assert way.snapshot().keys[0].models == ()
    assert clock.slept == []


class TestEndOfTheDay:
    @pytest.mark.parametrize(
        ("now", "reset"),
        [
            ("2026-06-01T12:00", "2026-06-02T00:00"),
            ("2026-06-01T23:59:59", "2026-06-02T00:00"),
            ("2026-12-31T23:00", "2027-01-01T00:00"),
            ("2026-03-08T00:30", "2026-03-09T00:00"),  # 23 hours: summer time begins at 2
            ("2026-03-07T12:00", "2026-03-08T00:00"),
            ("2026-11-01T00:30", "2026-11-02T00:00"),  # 25 hours: it ends at 2
            ("2026-10-31T12:00", "2026-11-01T00:00"),
        ],
    )
    def test_the_day_ends_at_midnight_in_the_pacific_time_zone(self, now: str, reset: str) -> None:
        assert quota_reset(_pacific(now)) == _pacific(reset)

    @pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25), ("2026-06-01", 24)])
    def test_the_end_of_the_day_follows_days_of_every_length(self, day: str, hours: int) -> None:
        begin = _pacific(f"{day}T00:00")
        assert quota_reset(begin + GRACE) - begin == hours * 3600

    def test_the_end_of_the_day_is_not_the_next_one_when_google_counts_a_little_longer(self) -> None:
        midnight = _pacific("2026-06-02T00:00")
        assert quota_reset(midnight + 2) == midnight + GRACE

    async def test_the_end_of_the_day_brings_the_key_back(self) -> None:
        google, clock = FakeGoogle(daily(), GOOD), FakeClock(_pacific("2026-03-08T00:30"))
        async with upstream(google, ONE, clock=clock) as way:
            with pytest.raises(GeminiError) as caught:
                await way.generate(MODEL, BODY, None)
            assert caught.value.is_daily_quota
            assert caught.value.available_in == pytest.approx(22.5 * 3600)
            clock.now = _pacific("2026-03-09T00:00") - 1
            with pytest.raises(GeminiError) as caught:
                await way.generate(MODEL, BODY, None)
            assert caught.value.available_in == pytest.approx(1)
            clock.now += 1
            assert await way.generate(MODEL, BODY, None) == HELLO
        assert len(google.requests) == 2


def _pacific(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=PACIFIC).timestamp()


class TestAllResting:
    async def test_when_no_key_is_available_the_answer_is_a_429_at_once_with_the_time_until_the_first_is_back(
        self,
    ) -> None:
        google, clock = FakeGoogle(GOOD), FakeClock()
        google.by_key = {ONE: [quota("48s")], TWO: [quota("30s")]}
        async with upstream(google, ONE, TWO, clock=clock) as way:
            for _ in range(2):
                with pytest.raises(GeminiError) as caught:
                    await way.generate(MODEL, BODY, None)
            clock.now += 10
            with pytest.raises(GeminiError) as caught:
                await way.generate(MODEL, BODY, None)
        assert len(google.requests) == 2
        error = caught.value
        assert (error.status, error.reason, error.available_in) == (429, "RESOURCE_EXHAUSTED", 20)
        assert error.quota_ids == ("GenerateRequestsPerMinutePerProjectPerModel",)
        assert "retry in 20s" in error.message
        assert clock.slept == []

    async def test_when_no_key_is_available_the_shorter_wait_is_told(self) -> None:
        google = FakeGoogle(GOOD)
        google.by_key = {ONE: [daily()], TWO: [quota("30s")]}
        async with upstream(google, ONE, TWO) as way:
            with pytest.raises(GeminiError) as caught:
                await way.generate(MODEL, BODY, None)
        assert not caught.value.is_daily_quota
        assert caught.value.available_in == 30

    async def test_when_all_keys_have_used_up_the_day_a_retry_is_hopeless(self) -> None:
        async with upstream(FakeGoogle(daily()), ONE, TWO) as way:
            with pytest.raises(GeminiError) as caught:
                await way.generate(MODEL, BODY, None)
        assert caught.value.is_daily_quota
        assert caught.value.available_in == 12 * 3600

    async def test_when_all_keys_are_refused_it_is_the_operators_matter(self) -> None:
        google = FakeGoogle(bad_key())
        async with upstream(google, ONE, TWO) as way:
            for _ in range(2):
                with pytest.raises(NoUsableKeyError, match="rejects the gateway's own") as caught:
                    await way.generate(MODEL, BODY, None)
        assert caught.value.status == 503
        assert google.keys == [ONE, TWO]

    async def test_when_all_keys_are_refused_one_model_googles_own_words_are_told(self) -> None:
        async with upstream(FakeGoogle(failure(403, "Not for you.", reason="PERMISSION_DENIED")), ONE) as way:
            with pytest.raises(GeminiError, match="Not for you") as caught:
                await way.generate(MODEL, BODY, None)
        assert (caught.value.status, caught.value.reason) == (403, "PERMISSION_DENIED")


class TestRefusedKey:
    async def test_a_refused_key_is_passed_over_and_told_in_the_log_without_the_key(self) -> None:
        google = FakeGoogle(GOOD)
        google.by_key[ONE] = [bad_key()]
        async with upstream(google, ONE, TWO) as way:
            with capture_logs() as logs:
                assert await way.generate(MODEL, BODY, None) == HELLO
            assert chosen(way.shared.pool).secret == TWO
        assert google.keys == [ONE, TWO]
        (line,) = logs
        assert line["log_level"] == "error"
        assert (line["key_label"], line["reason"], line["model"]) == (label_of(ONE), "key_refused", "all")
        assert ONE not in str(logs)

    async def test_a_refused_key_is_tried_again_ever_more_rarely_by_one_call_at_a_time(self) -> None:
        google, clock = FakeGoogle(bad_key()), FakeClock()
        async with upstream(google, ONE, clock=clock) as way:
            times = []
            for _ in range(9):
                with pytest.raises(NoUsableKeyError):
                    await way.generate(MODEL, BODY, None)
                times.append(clock.now)
                (state,) = way.snapshot().keys
                assert state.cooldown is not None
                clock.now = state.cooldown.until
        waits = [after - before for before, after in pairwise(times)]
        assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]
        assert len(google.requests) == 9

    async def test_a_refused_key_works_again_once_google_takes_it(self) -> None:
        google, clock, seen = FakeGoogle(bad_key(), GOOD), FakeClock(), Seen()
        async with upstream(google, ONE, clock=clock) as way:
            way.observe(seen)
            with pytest.raises(NoUsableKeyError):
                await way.generate(MODEL, BODY, None)
            clock.now += REFUSED[0]
            with capture_logs() as logs:
                await way.generate(MODEL, BODY, None)
            assert way.snapshot().keys[0].cooldown is None
        assert [line["event"] for line in logs] == ["a Gemini key works again"]
        assert [(cooldown.key, cooldown.until > 0) for cooldown in seen.rested] == [
            (label_of(ONE), True),
            (label_of(ONE), False),
        ]

    async def test_a_refused_key_is_tried_by_one_call_only(self) -> None:
        clock = FakeClock()

        async def second_call() -> None:
            with pytest.raises(NoUsableKeyError):
                await way.generate(MODEL, BODY, None)

        google = FakeGoogle(bad_key(), GOOD)
        async with upstream(google, ONE, clock=clock) as way:
            await second_call()
            clock.now += REFUSED[0]
            async with way.stream(MODEL, BODY, None):
                pass
            assert len(google.requests) == 2
            key = way.shared.pool.find(ONE)
            assert key is not None
            key.cooldown = Cooldown(key.label, "", CooldownReason.KEY_REFUSED, clock.now)
            key.is_probed = True
            await second_call()
        assert len(google.requests) == 2

    async def test_a_refused_key_is_tried_by_the_next_call_when_the_first_was_broken_off(self) -> None:
        def cancelled(_request: httpx.Request) -> httpx.Response:
            raise KeyboardInterrupt

        google, clock = FakeGoogle(bad_key(), cancelled, GOOD), FakeClock()
        async with upstream(google, ONE, clock=clock) as way:
            with pytest.raises(NoUsableKeyError):
                await way.generate(MODEL, BODY, None)
            clock.now += REFUSED[0]
            with pytest.raises(KeyboardInterrupt):
                await way.generate(MODEL, BODY, None)
            assert await way.generate(MODEL, BODY, None) == HELLO

    async def test_a_key_refused_for_one_model_is_tried_again_ever_more_rarely_too(self) -> None:
        google, clock = FakeGoogle(failure(403), failure(403), GOOD), FakeClock()
        async with upstream(google, ONE, clock=clock) as way:
            for wait in (60, 120):
                with pytest.raises(GeminiError):
                    await way.generate(MODEL, BODY, None)
                (cooldown,) = way.snapshot().keys[0].models
                assert cooldown.until - clock.now == wait
                clock.now += wait
            await way.generate(MODEL, BODY, None)
            assert way.shared.pool.find(ONE).models == {}  # type: ignore[union-attr]


class TestOtherProcesses:
    async def test_other_processes_hear_of_each_cool_down_and_can_keep_it(self) -> None:
        clock, seen = FakeClock(), Seen()
        async with upstream(FakeGoogle(quota("48s")), ONE, clock=clock, retries=0) as way:
            way.observe(seen)
            with pytest.raises(GeminiError):
                await way.generate(MODEL, BODY, None)
        (told,) = seen.rested
        sent = orjson.loads(orjson.dumps(told))
        async with upstream(google := FakeGoogle(GOOD), ONE, clock=clock) as other:
            other.apply(Cooldown(**{**sent, "kind": CooldownReason(sent["kind"])}))
            with pytest.raises(GeminiError) as caught:
                await other.generate(MODEL, BODY, None)
            assert caught.value.available_in == 48
            other.apply(Cooldown(told.key, told.model, told.kind, 0))
            assert await other.generate(MODEL, BODY, None) == HELLO
        assert len(google.requests) == 1

    async def test_other_processes_take_a_refused_key_out_and_back(self) -> None:
        async with upstream(FakeGoogle(GOOD), ONE, TWO) as way:
            way.apply(Cooldown(label_of(ONE), "", CooldownReason.KEY_REFUSED, START + 60))
            assert {chosen(way.shared.pool).secret for _ in range(3)} == {TWO}
            way.apply(Cooldown(label_of(ONE), "", CooldownReason.KEY_REFUSED, 0))
            assert {chosen(way.shared.pool).secret for _ in range(3)} == {ONE, TWO}

    async def test_what_other_processes_say_of_keys_of_their_own_changes_nothing(self) -> None:
        async with upstream(FakeGoogle(GOOD), ONE) as way:
            way.apply(Cooldown(label_of("another"), MODEL, CooldownReason.RATE_LIMIT, START + 60))
            assert chosen(way.shared.pool).secret == ONE


def test_the_models_remembered_for_a_key_are_bounded() -> None:
    pool = KeyPool((ONE,), clock=FakeClock())
    key = chosen(pool)
    for number in range(1100):
        pool.cool_down(key, Target(f"models/m{number}"), CooldownReason.RATE_LIMIT, error_of(quota(f"{100 + number}s")))
    assert len(key.models) == 1024
    assert ("models/m1099", "generate") in key.models
    assert ("models/m0", "generate") not in key.models


def test_a_key_is_not_told_by_its_label_or_by_its_representation() -> None:
    key = chosen(KeyPool((ONE,)))
    assert ONE not in repr(key)
    assert len(key.label) == 8
    assert label_of(ONE) != label_of(TWO)


def test_keys_are_replaced_while_calls_run_and_those_that_stay_keep_their_cooldowns() -> None:
    pool = KeyPool((ONE, TWO), clock=FakeClock())
    one, two = pool.find(ONE), pool.find(TWO)
    assert one is not None
    assert two is not None
    pool.cool_down(two, Target(MODEL), CooldownReason.RATE_LIMIT, error_of(quota("48s")))
    pool.replace((TWO, THREE))
    assert pool.secrets == (TWO, THREE)
    assert pool.find(ONE) is None
    assert pool.find(TWO) is two
    assert {chosen(pool).secret for _ in range(4)} == {THREE}
