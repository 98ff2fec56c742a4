"""Which connection makes room for another."""

from gemgate.server.connections import OpenConnections


class Fake:
    """A connection that notes that it was closed."""

    def __init__(self) -> None:
        self.is_closed = False

    def give_way(self) -> None:
        self.is_closed = True


def opened(connections: OpenConnections, number: int) -> list[Fake]:
    """That many connections, one after the other."""
    made = [Fake() for _ in range(number)]
    for connection in made:
        connections.opened(connection)
    return made


def closed(made: list[Fake]) -> list[int]:
    """The numbers of those that were closed."""
    return [number for number, connection in enumerate(made) if connection.is_closed]


def test_silent_ones_go_before_idle_ones_and_these_before_bodies_that_come() -> None:
    connections = OpenConnections(3)
    receiving, idle, silent = made = opened(connections, 3)
    connections.asked(receiving)
    connections.receiving(receiving)
    connections.asked(idle)
    connections.answered(idle)
    for expected in ([2], [1, 2], [0, 1, 2]):
        newest = Fake()
        assert connections.opened(newest)
        connections.asked(newest)
        assert closed(made) == expected
    assert silent.is_closed


def test_one_that_is_being_answered_stays_and_the_new_one_is_refused() -> None:
    connections = OpenConnections(2)
    made = opened(connections, 2)
    for connection in made:
        connections.asked(connection)
    assert not connections.opened(Fake())
    assert closed(made) == []


def test_one_that_was_asked_again_is_no_longer_idle() -> None:
    connections = OpenConnections(2)
    first, second = made = opened(connections, 2)
    for connection in made:
        connections.asked(connection)
        connections.answered(connection)
    connections.asked(first)
    assert connections.opened(Fake())
    assert closed(made) == [1]
    assert second.is_closed


def test_one_that_has_made_room_counts_no_second_time() -> None:
    connections = OpenConnections(2)
    first, second = made = opened(connections, 2)
    third = Fake()
    connections.opened(third)
    connections.answered(first)  # of what it had in hand, before it was gone
    connections.asked(second)
    connections.asked(third)
    assert not connections.opened(Fake())
    connections.closed(first)
    connections.closed(second)
    assert closed(made) == [0]


def test_what_has_closed_itself_makes_room() -> None:
    connections = OpenConnections(2)
    made = opened(connections, 2)
    connections.closed(made[0])
    connections.opened(Fake())
    assert closed(made) == []
