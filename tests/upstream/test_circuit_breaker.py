"""A model that fails is left alone for a while, and one call finds out whether it works again."""

import httpx
import pytest
from structlog.testing import capture_logs
from tests.support.clock import START, FakeClock
from tests.support.google import FakeGoogle, failure, overloaded, quota
from tests.upstream.support import BODY, HELLO, LITE, MODEL, Seen, upstream

from gemgate.gemini.errors import GeminiError
from gemgate.upstream.circuit_breaker import PAUSE, WINDOW, Breakers
from gemgate.upstream.client import Upstream
from gemgate.upstream.cooldowns import Cooldown, CooldownReason
from gemgate.upstream.key_pool import label_of
from gemgate.upstream.targets import Target

KEY = "key-one"
GOOD = httpx.Response(200, json=HELLO)


async def status(way: Upstream, model: str = MODEL) -> int:
    try:
        await way.generate(model, BODY, None)
    except GeminiError as error:
        return error.status
    return 200


async def test_opens_after_so_many_failures_and_then_asks_nobody() -> None:
    google, clock = FakeGoogle(overloaded()), FakeClock()
    async with upstream(google, KEY, clock=clock, retries=0, breaker=3) as way:
        assert [await status(way) for _ in range(3)] == [503] * 3
        with pytest.raises(GeminiError, match="it was not asked again") as caught:
            await way.generate(MODEL, BODY, None)
        assert await status(way, LITE) == 503
        (state, _) = way.snapshot().breakers
    assert len(google.requests) == 4
    assert (caught.value.status, caught.value.available_in) == (503, PAUSE[0])
    assert (state.model, state.state, state.until) == (MODEL, "open", START + PAUSE[0])


async def test_is_the_same_for_callers_with_their_own_key() -> None:
    google = FakeGoogle(overloaded())
    async with upstream(google, retries=0, breaker=2) as way:
        for _ in range(4):
            with pytest.raises(GeminiError):
                await way.generate(MODEL, BODY, "own")
    assert len(google.requests) == 2


async def test_counts_calls_and_not_their_attempts() -> None:
    google = FakeGoogle(overloaded())
    async with upstream(google, KEY, retries=5, breaker=2) as way:
        assert [await status(way) for _ in range(3)] == [503] * 3
    assert len(google.requests) == 12


async def test_does_not_count_a_call_that_was_answered_in_the_end() -> None:
    google = FakeGoogle(overloaded(), overloaded(), GOOD)
    async with upstream(google, KEY, breaker=1) as way:
        assert await status(way) == 200
        assert way.snapshot().breakers == ()


@pytest.mark.parametrize(
    "answer",
    [failure(400), failure(404), quota(), failure(403), failure(501), httpx.Response(200, text="no JSON")],
    ids=["400", "404", "429", "403", "501", "no JSON"],
)
async def test_does_not_count_what_is_no_fault_of_the_model(answer: httpx.Response) -> None:
    async with upstream(FakeGoogle(answer), KEY, retries=0, breaker=1) as way:
        await status(way)
        assert way.snapshot().breakers == ()


@pytest.mark.parametrize(
    "fault", [failure(500), failure(504), httpx.ConnectError("refused"), httpx.ReadTimeout("late")]
)
async def test_counts_faults_of_every_kind(fault: httpx.Response | Exception) -> None:
    async with upstream(FakeGoogle(fault), KEY, retries=0, breaker=1) as way:
        await status(way)
        assert [state.state for state in way.snapshot().breakers] == ["open"]


def test_stays_closed_while_one_call_of_four_is_answered() -> None:
    breakers = Breakers(10, clock=FakeClock())
    for _ in range(100):
        for _ in range(3):
            breakers.failed(Target(MODEL))
        breakers.succeeded(Target(MODEL))
    assert [state.state for state in breakers.snapshot()] == ["closed"]


def test_counts_anew_after_the_window() -> None:
    clock = FakeClock()
    breakers = Breakers(3, clock=clock)
    for _ in range(2):
        breakers.failed(Target(MODEL))
    clock.now += WINDOW + 1
    for _ in range(2):
        breakers.failed(Target(MODEL))
    assert [state.state for state in breakers.snapshot()] == ["closed"]
    breakers.failed(Target(MODEL))
    assert [state.state for state in breakers.snapshot()] == ["open"]


def test_of_zero_failures_is_never_opened() -> None:
    breakers = Breakers(0)
    for _ in range(100):
        breakers.failed(Target(MODEL))
    assert breakers.snapshot() == ()
    assert breakers.admit(Target(MODEL)) is False


class TestHalfOpen:
    async def test_a_half_open_breaker_lets_one_call_try_and_closes_when_it_is_answered(self) -> None:
        google, clock, seen = FakeGoogle(overloaded(), GOOD), FakeClock(), Seen()
        async with upstream(google, KEY, clock=clock, retries=0, breaker=1) as way:
            way.observe(seen)
            assert await status(way) == 503
            clock.now += PAUSE[0] - 0.1
            assert await status(way) == 503
            clock.now += 0.2
            assert [state.state for state in way.snapshot().breakers] == ["half_open"]
            with capture_logs() as logs:
                assert await status(way) == 200
            assert way.snapshot().breakers == ()
        assert len(google.requests) == 2
        assert [line["event"] for line in logs] == ["circuit closed for a model"]
        assert [(cooldown.model, cooldown.kind, cooldown.until > 0) for cooldown in seen.rested] == [
            (MODEL, CooldownReason.BROKEN, True),
            (MODEL, CooldownReason.BROKEN, False),
        ]

    async def test_a_half_open_breaker_waits_longer_each_time_its_call_fails(self) -> None:
        google, clock = FakeGoogle(overloaded()), FakeClock()
        waits = []
        async with upstream(google, KEY, clock=clock, retries=0, breaker=1) as way:
            for _ in range(5):
                assert await status(way) == 503
                (state,) = way.snapshot().breakers
                waits.append(state.until - clock.now)
                clock.now = state.until
        assert waits == [10, 20, 40, 60, 60]
        assert len(google.requests) == 5

    async def test_a_half_open_breaker_refuses_the_others_while_one_tries(self) -> None:
        clock = FakeClock()
        breakers = Breakers(1, clock=clock)
        breakers.failed(Target(MODEL))
        clock.now += PAUSE[0]
        assert breakers.admit(Target(MODEL)) is True
        with pytest.raises(GeminiError) as caught:
            breakers.admit(Target(MODEL))
        assert caught.value.available_in == 1
        breakers.release_probe(Target(MODEL))
        assert breakers.admit(Target(MODEL)) is True

    async def test_a_half_open_breaker_is_open_again_when_a_stream_tries_it_and_fails(self) -> None:
        google, clock = FakeGoogle(overloaded()), FakeClock()
        async with upstream(google, KEY, clock=clock, retries=2, breaker=1) as way:
            assert await status(way) == 503
            clock.now += PAUSE[0]
            with pytest.raises(GeminiError):
                await way.stream(MODEL, BODY, None).__aenter__()
            (state,) = way.snapshot().breakers
            assert state.state == "open"
            assert state.until == pytest.approx(clock.now + 20, abs=1)
            assert way.snapshot().keys[0].in_flight == 0
        assert len(google.requests) == 4

    async def test_a_half_open_breaker_lets_the_next_call_try_when_the_first_learned_nothing(self) -> None:
        def broken_off(_request: httpx.Request) -> httpx.Response:
            raise KeyboardInterrupt

        google, clock = FakeGoogle(overloaded(), broken_off, failure(400), GOOD), FakeClock()
        async with upstream(google, KEY, clock=clock, retries=0, breaker=1) as way:
            assert await status(way) == 503
            clock.now += PAUSE[0]
            with pytest.raises(KeyboardInterrupt):
                await status(way)
            assert await status(way) == 400
            assert await status(way) == 200

    def test_a_half_open_breaker_is_closed_by_a_call_from_before_that_is_answered_late(self) -> None:
        breakers = Breakers(1, clock=FakeClock())
        breakers.failed(Target(MODEL))
        breakers.succeeded(Target(MODEL))
        assert breakers.snapshot() == ()

    def test_a_half_open_breaker_is_not_held_up_by_calls_from_before_that_fail_late(self) -> None:
        clock = FakeClock()
        breakers = Breakers(1, clock=clock)
        breakers.failed(Target(MODEL))
        clock.now += 5
        breakers.failed(Target(MODEL))
        (state,) = breakers.snapshot()
        assert state.until == START + PAUSE[0]


async def test_other_processes_can_take_it_over() -> None:
    google = FakeGoogle(GOOD)
    async with upstream(google, KEY, breaker=1) as way:
        way.apply(Cooldown("", MODEL, CooldownReason.BROKEN, START + 10))
        assert await status(way) == 503
        way.apply(Cooldown("", MODEL, CooldownReason.BROKEN, 0))
        assert await status(way) == 200
    assert len(google.requests) == 1


def test_the_models_remembered_are_bounded() -> None:
    breakers = Breakers(10)
    for number in range(1100):
        breakers.failed(Target(f"models/m{number}"))
    assert len(breakers.snapshot()) == 1024


class TestCallers:
    def test_the_failures_of_one_caller_are_half_of_the_evidence_at_most(self) -> None:
        breakers = Breakers(10, clock=FakeClock())
        for _ in range(9):
            breakers.failed(Target(MODEL), "bob")
        for _ in range(4):
            breakers.failed(Target(MODEL), "alice")
            assert breakers.admit(Target(MODEL), "carol") is False
        breakers.failed(Target(MODEL), "alice")
        with pytest.raises(GeminiError):
            breakers.admit(Target(MODEL), "carol")

    def test_one_who_is_served_keeps_it_open_to_all_but_those_who_are_not(self) -> None:
        breakers = Breakers(10, clock=FakeClock())
        for _ in range(10):
            breakers.failed(Target(MODEL), "bob")
            breakers.failed(Target(MODEL), "carol")
            breakers.succeeded(Target(MODEL), "alice")
        assert breakers.admit(Target(MODEL), "alice") is False
        with pytest.raises(GeminiError):
            breakers.admit(Target(MODEL), "bob")

    def test_one_whose_probe_fails_twice_in_a_row_holds_up_itself_only(self) -> None:
        clock = FakeClock()
        breakers = Breakers(2, clock=clock)
        for caller in ("alice", "bob"):
            breakers.failed(Target(MODEL), caller)
        for seconds in PAUSE[0], 2 * PAUSE[0]:
            clock.advance(seconds)
            assert breakers.admit(Target(MODEL), "bob") is True
            breakers.failed(Target(MODEL), "bob")
        with pytest.raises(GeminiError):
            breakers.admit(Target(MODEL), "bob")
        assert breakers.admit(Target(MODEL), "alice") is True
        breakers.succeeded(Target(MODEL), "alice")
        assert breakers.admit(Target(MODEL), "carol") is False

    def test_what_nobody_is_known_to_have_asked_is_evidence_against_no_caller(self) -> None:
        breakers = Breakers(2, clock=FakeClock())
        for _ in range(5):
            breakers.failed(Target(MODEL))
        breakers.failed(Target(MODEL), "bob")
        assert breakers.admit(Target(MODEL), "alice") is False

    def test_other_processes_take_over_whose_circuit_it_is(self) -> None:
        breakers, heard = Breakers(1, clock=FakeClock()), Breakers(1, clock=FakeClock())
        breakers.announce = heard.apply
        breakers.failed(Target(MODEL), "bob")
        assert heard.admit(Target(MODEL), "alice") is False
        with pytest.raises(GeminiError):
            heard.admit(Target(MODEL), "bob")
        breakers.succeeded(Target(MODEL), "bob")
        assert heard.snapshot() == ()

    def test_the_key_of_a_caller_is_announced_by_its_label(self) -> None:
        told: list[Cooldown] = []
        breakers = Breakers(1, clock=FakeClock(), announce=told.append)
        breakers.failed(Target(MODEL), KEY, is_own=True)
        assert [cooldown.caller for cooldown in told] == [label_of(KEY)]
