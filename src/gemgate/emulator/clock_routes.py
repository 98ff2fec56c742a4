"""GET and POST /emulator/clock: the clock of the emulator, for tests that do not share its process."""

import orjson
from starlette.requests import Request

from gemgate.emulator.delivery import Delivery
from gemgate.emulator.errors import invalid
from gemgate.emulator.lifecycle import checked_day
from gemgate.emulator.replies import json_reply
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.timing import rfc3339


async def clock(state: EmulatorState, request: Request) -> Delivery:
    """`{"time", "advancedSeconds"}`; a POST of `{"advanceSeconds": 3600}` puts it forward. No key is needed.

    A POST of `{"date": "2026-12-01"}` says which models are served; `{"date": ""}` all of them.

    Raises:
        ApiError: 400, not a number of seconds, or not a day.
    """
    if request.method == "POST":
        try:
            asked = orjson.loads(await request.body())
            if isinstance(asked, dict) and "date" in asked:
                state.day = checked_day(asked["date"])
            else:
                state.advance(float(asked["advanceSeconds"]))
        except (ValueError, TypeError, KeyError):
            raise invalid(
                'The clock takes {"advanceSeconds": N} with a number of seconds that is not negative, or {"date": DAY} '
                "with a day such as 2026-12-01."
            ) from None
    shown = {"time": rfc3339(state.now()), "advancedSeconds": state.advanced}
    return json_reply(state, shown | ({"date": state.day} if state.day else {}))
