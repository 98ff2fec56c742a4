"""GET and POST /emulator/clock: the clock of the emulator, for tests that do not share its process."""

import orjson
from starlette.requests import Request

from gemgate.emulator.delivery import Delivery
from gemgate.emulator.errors import invalid
from gemgate.emulator.replies import json_reply
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.timing import rfc3339


async def clock(state: EmulatorState, request: Request) -> Delivery:
    """`{"time", "advancedSeconds"}`; a POST of `{"advanceSeconds": 3600}` puts it forward. No key is needed.

    Raises:
        ApiError: 400, not a number of seconds.
    """
    if request.method == "POST":
        try:
            seconds = orjson.loads(await request.body())["advanceSeconds"]
            state.advance(float(seconds))
        except (ValueError, TypeError, KeyError):
            raise invalid(
                'The clock takes {"advanceSeconds": N} with a number of seconds that is not negative.'
            ) from None
    return json_reply(state, {"time": rfc3339(state.now()), "advancedSeconds": state.advanced})
