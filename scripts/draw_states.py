"""Draws the states of keys, circuit breakers and batches, and what replicas share: `docs/assets/*.svg`.

`python -m scripts.draw_states` writes them, as does `scripts/write_docs.py`. The states, the numbers and the arrows
are those of the code: tests compare.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from scripts.picture import Picture

from gemgate.api.batches.life_cycle import BATCH_LIFE, LifeEvent, move, state_of
from gemgate.settings import variable
from gemgate.upstream.circuit_breaker import FAILURES, PAUSE, PROBE_WAIT, SHARE, WINDOW
from gemgate.upstream.cooldowns import CooldownReason
from gemgate.upstream.key_pool import COOL_DOWN, NO_QUOTA, REFUSED

if TYPE_CHECKING:
    from gemgate.store.tables import BatchRow

ASSETS = Path(__file__).parents[1] / "docs" / "assets"

USABLE, PROBED = "usable", "probed"
CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"

COOL_DOWNS: Mapping[tuple[str, str], str] = {
    (USABLE, CooldownReason.RATE_LIMIT): "429, a quota of a minute",
    (CooldownReason.RATE_LIMIT, USABLE): f"when Google says; else after {COOL_DOWN:g} s",
    (USABLE, CooldownReason.QUOTA): "429, a quota of a day, or none at all",
    (CooldownReason.QUOTA, USABLE): f"at midnight Pacific; none: after {NO_QUOTA / 60:g} min",
    (USABLE, CooldownReason.REFUSED): "401 or 403 for this model or method",
    (CooldownReason.REFUSED, USABLE): f"after {REFUSED[0] / 60:g} min; refused again: twice as long",
    (USABLE, CooldownReason.KEY_REFUSED): "400, 401 or 403 about the key",
    (CooldownReason.KEY_REFUSED, PROBED): f"after {REFUSED[0] / 60:g} min",
    (PROBED, CooldownReason.KEY_REFUSED): f"refused again: twice as long, at most {REFUSED[1] / 3600:g} h",
    (PROBED, USABLE): "the call is answered",
}
"""How a Gemini key gets from one state to another, in words."""

BREAKER: Mapping[tuple[str, str], str] = {
    (CLOSED, OPEN): f"{FAILURES} calls fail in {WINDOW:g} s, at least {SHARE:.0%} of all",
    (OPEN, HALF_OPEN): f"after {PAUSE[0]:g} s",
    (HALF_OPEN, OPEN): f"the probe fails: twice as long, at most {PAUSE[1]:g} s",
    (HALF_OPEN, CLOSED): "the probe is answered",
}
"""How a circuit gets from one state to another, in words."""

BATCHES: Mapping[tuple[str, str], str] = {
    ("validating", "in_progress"): "input is good",
    ("validating", "cancelling"): "",
    ("validating", "failed"): "bad input, or a refusal",
    ("in_progress", "finalizing"): "job has ended",
    ("in_progress", "cancelling"): "its caller cancels it",
    ("in_progress", "failed"): "job fails",
    ("in_progress", "cancelled"): "somebody else ends the job at Google",
    ("finalizing", "completed"): "results are written",
    ("finalizing", "expired"): "its window has closed",
    ("finalizing", "failed"): "",
    ("cancelling", "cancelled"): "results are written",
    ("cancelling", "failed"): "the results are gone",
}
"""How a batch gets from one of OpenAI's statuses to another, in words; some arrows share the words of another."""


def statuses() -> set[tuple[str, str]]:
    """The steps between OpenAI's statuses that the table of states allows: each way through it is gone."""
    row: dict[str, object] = {"status": "validating", "progress": None, "google_name": None, "in_progress_at": None}
    waiting = [row]
    seen: set[tuple[str, object]] = set()
    found: set[tuple[str, str]] = set()
    while waiting:
        row = waiting.pop()
        state = state_of(_row(row))
        if (key := (state, row["status"])) in seen:
            continue
        seen.add(key)
        for event in BATCH_LIFE[state]:
            changes = {name: value for name, value in move(_row(row), event, 1.0).items() if name in row}
            name = "batches/a" if event is LifeEvent.JOB_CREATED else row["google_name"]
            following = {**row, **changes, "google_name": name}
            if following["status"] != row["status"]:
                found.add((str(row["status"]), str(following["status"])))
            waiting.append(following)
    return found


def cool_downs() -> str:
    """A Gemini key: usable, and the four reasons for which it cools down."""
    picture = Picture("How a Gemini key cools down, and when it is usable again", 430)
    picture.box((24, 24, 150, 382), "good", (USABLE, "takes calls"))
    rows = {
        CooldownReason.RATE_LIMIT: (24, "wait", "for this model and group"),
        CooldownReason.QUOTA: (110, "wait", "for this model and group"),
        CooldownReason.REFUSED: (196, "bad", "for this model, or method"),
        CooldownReason.KEY_REFUSED: (282, "bad", "for everything"),
    }
    for reason, (y, kind, scope) in rows.items():
        picture.box((650, y, 246, 62), kind, (reason, scope))
        _pair(picture, y, COOL_DOWNS[USABLE, reason], COOL_DOWNS.get((reason, USABLE), ""))
    picture.box((420, 362, 150, 44), "wait", (PROBED,))
    picture.arrow((420, 384), (178, 384))
    picture.text((300, 376), COOL_DOWNS[PROBED, USABLE], anchor="middle")
    picture.arrow((690, 344), (690, 374), (574, 374))
    picture.text((684, 366), COOL_DOWNS[CooldownReason.KEY_REFUSED, PROBED], anchor="end")
    picture.arrow((570, 396), (760, 396), (760, 348))
    picture.text((584, 414), COOL_DOWNS[PROBED, CooldownReason.KEY_REFUSED])
    return picture.svg()


def _pair(picture: Picture, y: int, there: str, back: str) -> None:
    picture.arrow((174, y + 18), (646, y + 18))
    picture.text((410, y + 12), there, anchor="middle")
    if back:
        picture.arrow((650, y + 46), (178, y + 46))
        picture.text((410, y + 40), back, anchor="middle")


def breaker() -> str:
    """The circuit breaker of a model and a group of methods."""
    picture = Picture("The circuit breaker of a model: closed, open, half-open", 250)
    picture.box((24, 110, 190, 70), "good", (CLOSED, "calls are counted"))
    picture.box((706, 110, 190, 70), "bad", (OPEN, "503 at once"))
    picture.box((350, 110, 190, 70), "wait", (HALF_OPEN, f"one call; others wait {PROBE_WAIT:g} s"))
    picture.arrow((119, 110), (119, 60), (801, 60), (801, 106))
    picture.text((460, 50), BREAKER[CLOSED, OPEN], anchor="middle")
    picture.arrow((706, 130), (544, 130))
    picture.text((623, 122), BREAKER[OPEN, HALF_OPEN], anchor="middle")
    picture.arrow((350, 145), (218, 145))
    picture.text((284, 137), "the probe is", anchor="middle")
    picture.text((284, 164), "answered", anchor="middle")
    picture.arrow((445, 180), (445, 216), (801, 216), (801, 184))
    picture.text((623, 208), BREAKER[HALF_OPEN, OPEN], anchor="middle")
    return picture.svg()


def batch_life() -> str:
    """A batch by its statuses."""
    picture = Picture("The life of a batch, by its status", 372)
    for at, kind, name in (
        ((24, 40, 140, 44), "box", "validating"),
        ((290, 40, 140, 44), "box", "in_progress"),
        ((540, 40, 140, 44), "box", "finalizing"),
        ((756, 40, 140, 44), "good", "completed"),
        ((756, 118, 140, 44), "wait", "expired"),
        ((756, 196, 140, 44), "bad", "failed"),
        ((410, 274, 140, 44), "wait", "cancelling"),
        ((756, 274, 140, 44), "wait", "cancelled"),
    ):
        picture.box(at, kind, (name,))
    picture.arrow((164, 62), (286, 62))
    picture.text((227, 54), BATCHES["validating", "in_progress"], anchor="middle")
    picture.arrow((430, 62), (536, 62))
    picture.text((484, 54), BATCHES["in_progress", "finalizing"], anchor="middle")
    picture.arrow((680, 62), (752, 62))
    picture.text((690, 104), BATCHES["finalizing", "completed"])
    picture.arrow((640, 84), (640, 140), (752, 140))
    picture.text((634, 132), BATCHES["finalizing", "expired"], anchor="end")
    picture.arrow((124, 84), (124, 218), (752, 218))
    picture.text((136, 210), BATCHES["validating", "failed"])
    picture.arrow((396, 84), (396, 218), (752, 218))
    picture.text((404, 210), BATCHES["in_progress", "failed"])
    picture.arrow((660, 84), (660, 218), (752, 218))
    picture.arrow((64, 84), (64, 296), (406, 296))
    picture.text((76, 288), BATCHES["in_progress", "cancelling"])
    picture.arrow((430, 70), (470, 70), (470, 270))
    picture.arrow((550, 296), (752, 296))
    picture.text((654, 312), BATCHES["cancelling", "cancelled"], anchor="middle")
    picture.arrow((530, 274), (530, 236), (752, 236))
    picture.text((640, 252), BATCHES["cancelling", "failed"], anchor="middle")
    picture.arrow((340, 84), (340, 346), (826, 346), (826, 322))
    picture.text((352, 338), BATCHES["in_progress", "cancelled"])
    return picture.svg()


def replicas() -> str:
    """Several gateways, and what they share."""
    picture = Picture("Replicas of the gateway, and the three services that they share", 400)
    picture.box((24, 24, 180, 56), lines=("callers", "OpenAI API"))
    picture.box((24, 170, 180, 60), lines=("load balancer", "asks /readyz"))
    picture.arrow((114, 80), (114, 166))
    for number in range(3):
        y = 60 + 100 * number
        picture.box((330, y, 190, 80), "good", ("gemgate", "all replicas are equal"))
        picture.arrow((204, 200), (267, 200), (267, y + 40), (326, y + 40))
        picture.arrow((520, y + 40), (563, y + 40))
    picture.text((425, 366), f"{variable('secret')}: the same for all", anchor="middle")
    picture.box((630, 24, 266, 56), lines=("Google", "Gemini API, or Vertex AI"))
    picture.arrow((567, 200), (567, 52), (626, 52))
    for y, name, setting, what in (
        (104, "PostgreSQL", "database_url", "files, batches, conversations: rows"),
        (196, "S3, GCS or Azure", "blobs_url", "files and results: bytes"),
        (288, "Redis", "redis_url", "limits, cool-downs, signatures"),
    ):
        picture.box((630, y, 266, 76), lines=(name, variable(setting), what))
        picture.arrow((567, 200), (567, y + 38), (626, y + 38))
    return picture.svg()


PICTURES: Mapping[str, Callable[[], str]] = {
    "cool-downs.svg": cool_downs,
    "breaker.svg": breaker,
    "batch-life.svg": batch_life,
    "replicas.svg": replicas,
}


def _row(columns: Mapping[str, object]) -> "BatchRow":
    return cast("BatchRow", SimpleNamespace(**columns))


def main() -> None:
    """Write the pictures."""
    for name, draw in PICTURES.items():
        (ASSETS / name).write_text(draw())


if __name__ == "__main__":
    main()
