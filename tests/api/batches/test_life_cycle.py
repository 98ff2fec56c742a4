"""The table of a batch's states, and the rows that it moves."""

from pathlib import Path

import pytest

from gemgate.api.batches.life_cycle import BATCH_LIFE, LifeEvent, LifeState, move, state_of
from gemgate.batch_limits import FINAL
from gemgate.store.tables import BatchRow

NOW = 1_800_000_000.5
MOVES = [(state, event) for state, following in BATCH_LIFE.items() for event in following]


def row_in(state: LifeState) -> BatchRow:
    """A row in a state, made by the shortest way there."""
    ways: dict[LifeState, list[LifeEvent]] = {LifeState.VALIDATING: []}
    queue = [LifeState.VALIDATING]
    while state not in ways:
        before = queue.pop(0)
        for event, after in BATCH_LIFE[before].items():
            if after not in ways:
                ways[after] = [*ways[before], event]
                queue.append(after)
    row = BatchRow(
        id="batch_1",
        owner="x",
        endpoint="/v1/chat/completions",
        input_file_id="file-1",
        completion_window="24h",
        display_name="gemgate-batch_1",
        status="validating",
        created_at=int(NOW),
        progress={},
    )
    for event in ways[state]:
        happen(row, event)
    return row


def happen(row: BatchRow, event: LifeEvent) -> None:
    for column, value in move(row, event, NOW).items():
        setattr(row, column, value)
    if event is LifeEvent.JOB_CREATED:
        row.google_name = "batches/1"


@pytest.mark.parametrize(("state", "event"), MOVES)
def test_each_move_of_the_table_puts_the_row_into_the_state_that_follows(state: LifeState, event: LifeEvent) -> None:
    row = row_in(state)
    assert state_of(row) is state
    happen(row, event)
    assert state_of(row) is BATCH_LIFE[state][event]


def test_every_state_and_every_event_is_in_the_table_and_every_way_ends() -> None:
    assert set(BATCH_LIFE) == set(LifeState)
    assert {event for _, event in MOVES} == set(LifeEvent)
    assert {state.value for state, following in BATCH_LIFE.items() if not following} == set(FINAL)
    ending = {state for state, following in BATCH_LIFE.items() if not following}
    while more := {state for state, following in BATCH_LIFE.items() if ending & set(following.values())} - ending:
        ending |= more
    assert ending == set(LifeState)


def test_the_end_takes_the_key_out_of_the_row() -> None:
    row = row_in(LifeState.COMPLETED)
    assert (row.status, row.key_ciphertext, row.next_poll_at) == ("completed", None, None)
    assert (row.in_progress_at, row.finalizing_at, row.completed_at) == (int(NOW),) * 3


def test_what_a_state_does_not_know_is_refused() -> None:
    with pytest.raises(KeyError):
        move(row_in(LifeState.COMPLETING), LifeEvent.CANCEL_ASKED, NOW)


def test_the_ids_of_the_files_are_given_once() -> None:
    row = row_in(LifeState.CANCELLING_SENT)
    row.progress = {"output_file_id": "file-1"}
    changes = move(row, LifeEvent.JOB_SUCCEEDED, NOW)
    assert changes["progress"] is not None
    assert changes["progress"]["output_file_id"] == "file-1"
    assert str(changes["progress"]["error_file_id"]).startswith("file-")


def test_the_picture_has_each_arrow_of_the_table() -> None:
    text = (Path(__file__).parents[3] / "ARCHITECTURE.md").read_text()
    picture = text.partition("stateDiagram-v2\n")[2].partition("```")[0]
    drawn = {tuple(line.strip().partition(":")[0].split(" --> ")) for line in picture.splitlines()}
    moves = {(state.value, BATCH_LIFE[state][event].value) for state, event in MOVES if event is not LifeEvent.GIVEN_UP}
    assert drawn == moves | {("[*]", "validating")} | {(end, "[*]") for end in FINAL}
