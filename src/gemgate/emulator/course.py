"""The course of a request: the scenario it takes, and how its whole answer is sent."""

from gemgate.emulator import scenarios
from gemgate.emulator.delivery import (
    Delivery,
    Pause,
    Piece,
    Reset,
)
from gemgate.emulator.families import ModelFamily
from gemgate.emulator.incoming import RequestIdentity
from gemgate.emulator.replies import JSON, headers, html_reply
from gemgate.emulator.scenarios import Scenario
from gemgate.emulator.state import EmulatorState


def begin(
    state: EmulatorState, caller: RequestIdentity, model: ModelFamily, method: str, *, asked: str, content: object
) -> Scenario:
    """The scenario of a request that is right in itself; `asked` is what is in `[[emulator: …]]`.

    `content` distinguishes requests for the scenario that fails the first ones.

    Raises:
        ApiError: What the scenario refuses.
    """
    scenario = scenarios.find(caller.scenario, model.name, asked)
    attempt = state.attempt(content) if scenario.name == "flaky" else 1
    scenarios.refuse(scenario, model.name, caller.version, method, attempt)
    return scenario


def begin_resource(state: EmulatorState, caller: RequestIdentity, key: str, asked: str = "") -> Scenario:
    """The scenario of a request about a file or a job; `key` distinguishes requests.

    Raises:
        ApiError: What the scenario refuses.
    """
    scenario = scenarios.find(caller.scenario, "", asked)
    attempt = state.attempt(key) if scenario.name == "flaky" else 1
    scenarios.refuse(scenario, "", caller.version, "", attempt)
    return scenario


def whole(state: EmulatorState, scenario: Scenario, raw: bytes, tier: str = "standard") -> Delivery:
    """A 200 with one JSON body, or what the scenario makes of it."""
    if scenario.name == "html-502":
        return html_reply(state, 502)
    if scenario.name == "garbage":
        raw = raw[: len(raw) // 2]
    pieces: list[Piece] = [raw]
    if scenario.name == "reset-mid-stream":
        pieces = [raw[: len(raw) // 2], Reset()]
    return Delivery(state, 200, headers(JSON, tier), paced(scenario, pieces))


def paced(scenario: Scenario, pieces: list[Piece]) -> list[Piece]:
    """The pieces with the pauses, resets and sizes of the scenario."""
    if scenario.name == "reset-before-headers":
        return [Reset()]
    if scenario.name == "slow-start":
        return [Pause(scenario.number), *pieces]
    if scenario.name == "slow-stream":
        return [
            step for number, piece in enumerate(pieces) for step in ([Pause(scenario.number)] * (number > 0) + [piece])
        ]
    if scenario.name == "byte-by-byte":
        return [bytes([byte]) for piece in pieces if isinstance(piece, bytes) for byte in piece]
    return pieces
