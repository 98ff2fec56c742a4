import base64
from typing import Any

import pytest
from tests.support.uploads import NAME

from gemgate.gemini.errors import InvalidNameError, TransportError
from gemgate.gemini.file_types import (
    FileState,
    GeminiFile,
    digest_from_wire,
    file_from_wire,
    file_path,
    start_body,
)
from gemgate.gemini.files import new_file_name
from gemgate.gemini.proto_json import error_of_status, unix_seconds, whole_number


def test_a_file_is_read_bare_and_wrapped() -> None:
    native = {
        "name": "files/k4t1ywl66fz2",
        "displayName": "sample.pdf",
        "mimeType": "application/pdf",
        "sizeBytes": "18810",
        "createTime": "2026-08-19T14:34:14.094797Z",
        "expirationTime": "2026-08-21T14:34:13.503405945Z",
        "sha256Hash": base64.b64encode(b"ab" * 32).decode(),
        "uri": "https://generativelanguage.googleapis.com/v1beta/files/k4t1ywl66fz2",
        "state": "PROCESSING",
        "source": "GENERATED",
    }
    file = file_from_wire(native)
    assert file == file_from_wire({"file": native})
    assert file == GeminiFile(
        name="files/k4t1ywl66fz2",
        uri="https://generativelanguage.googleapis.com/v1beta/files/k4t1ywl66fz2",
        state=FileState.PROCESSING,
        mime_type="application/pdf",
        display_name="sample.pdf",
        size=18810,
        sha256="ab" * 32,
        created_at=1787150054,
        expires_at=1787322853,
        is_generated=True,
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("ACTIVE", FileState.ACTIVE),
        ("FAILED", FileState.FAILED),
        ("STATE_UNSPECIFIED", FileState.ACTIVE),
        (None, FileState.ACTIVE),
        ("NEWER", FileState.ACTIVE),
    ],
)
def test_a_state_that_says_nothing_keeps_nobody_waiting(state: str | None, expected: FileState) -> None:
    assert file_from_wire({"name": NAME, "state": state}).state is expected


@pytest.mark.parametrize(
    "value", [None, [], {}, {"file": None}, {"name": 3}, {"name": "batches/x"}, {"name": "files/"}]
)
def test_an_answer_without_a_name_is_no_file(value: Any) -> None:
    with pytest.raises(TransportError, match="does not describe a file"):
        file_from_wire(value)


@pytest.mark.parametrize(
    ("value", "digest"),
    [
        (base64.b64encode(b"0f" * 32).decode(), "0f" * 32),
        (base64.b64encode(b"0F" * 32).decode(), "0f" * 32),
        (base64.b64encode(b"\x0f" * 32).decode(), "0f" * 32),
        (base64.b64encode(b"short").decode(), ""),
        ("no base64!", ""),
        ("é", ""),
        (None, ""),
    ],
)
def test_a_digest_is_hex_in_base64_or_the_digest_itself(value: Any, digest: str) -> None:
    assert digest_from_wire(value) == digest


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1970-01-01T00:00:10Z", 10),
        ("1970-01-01T00:00:10.999999999Z", 10),
        ("1970-01-01T01:00:10+01:00", 10),
        ("2026-08-19T14:34:12.267870162Z", 1787150052),
        ("1970-13-01T00:00:10Z", None),
        ("yesterday", None),
        (12, None),
        (None, None),
    ],
)
def test_a_time_is_cut_to_whole_seconds(value: Any, seconds: int | None) -> None:
    assert unix_seconds(value) == seconds


@pytest.mark.parametrize(
    ("value", "number"),
    [("18810", 18810), (7, 7), ("", 0), (None, 0), (True, 0), (-3, 0), ("-3", 0), ("٣", 0), ("9" * 5000, 0), (1.5, 0)],
)
def test_a_count_is_text_or_a_number_and_absent_is_none(value: Any, number: int) -> None:
    assert whole_number(value) == number


@pytest.mark.parametrize(
    ("value", "status", "reason", "message"),
    [
        ({"code": 3, "message": " bad "}, 400, "INVALID_ARGUMENT", "bad"),
        ({"code": 1}, 499, "CANCELLED", "did not say why"),
        ({"code": 8, "status": "NEWER", "message": "m"}, 429, "NEWER", "m"),
        ({"code": 404, "message": "m"}, 404, "NOT_FOUND", "m"),
        ({"code": 77, "message": "m"}, 500, "INTERNAL", "m"),
        ({"message": "m"}, 500, "INTERNAL", "m"),
        ("plain", 500, "INTERNAL", "plain"),
    ],
)
def test_a_status_is_an_error_with_an_http_status(value: Any, status: int, reason: str, message: str) -> None:
    error = error_of_status(value)
    assert error is not None
    assert (error.status, error.reason) == (status, reason)
    assert message in error.message


def test_an_empty_status_is_no_error() -> None:
    assert error_of_status(None) is None
    assert error_of_status({}) is None


def test_the_details_of_a_status_are_kept() -> None:
    detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3s"}
    error = error_of_status({"code": 8, "message": "slow down", "details": [detail]})
    assert error is not None
    assert error.retry_delay == 3


@pytest.mark.parametrize(
    "name",
    ["", "abc", "files/", "files/../models", "files/a/b", "files/a:download", "files/é", "batches/a", "files/-a"],
)
async def test_a_name_that_could_change_the_path_is_refused(name: str) -> None:
    with pytest.raises(InvalidNameError, match="is not the name of a file"):
        file_path(name)


def test_a_display_name_is_cut_to_what_google_allows() -> None:
    assert start_body(NAME, "é" * 600) == {"file": {"name": NAME, "displayName": "é" * 512}}


def test_new_names_are_ones_that_google_takes() -> None:
    first, second = new_file_name(), new_file_name()
    assert first != second
    assert len(first.removeprefix("files/")) <= 40
    assert file_path(first) == f"/v1beta/{first}"
