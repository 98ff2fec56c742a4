import orjson
import pytest
from scripts.derive_native_schema import OUTPUT, derive
from tests.emulator.support import OPENAPI


@pytest.mark.skipif(not OPENAPI.is_file(), reason="Google's document is not beside the project")
def test_the_table_is_what_the_script_derives() -> None:
    assert derive(orjson.loads(OPENAPI.read_bytes())) == OUTPUT.read_bytes()


def test_the_table_is_compact_and_without_prose() -> None:
    raw = OUTPUT.read_bytes()
    assert len(raw) < 16_000
    assert b"escription of" not in raw


def test_every_type_in_the_table_is_there() -> None:
    table = orjson.loads(OUTPUT.read_bytes())
    scalars = {
        "string",
        "bool",
        "int32",
        "int64",
        "float",
        "double",
        "bytes",
        "duration",
        "timestamp",
        "struct",
        "value",
    }
    known = scalars | table["messages"].keys() | table["enums"].keys()
    for message, fields in table["messages"].items():
        for name, kind in fields.items():
            assert kind.strip("[]{}") in known, f"{message}.{name}"
    for message, names in table["required"].items():
        assert set(names) <= table["messages"][message].keys()
    for message, groups in table["oneofs"].items():
        for members in groups.values():
            assert set(members) <= table["messages"][message].keys()
    assert table["anyCase"].keys() <= table["enums"].keys()
