"""The rules of ranges, headers and lifetimes; and every parameter has a fate."""

import re
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.api.files.objects import lifetime, max_bytes, upload_error
from gemgate.api.files.wire import (
    COMPLETE,
    FILES,
    UPLOADS,
    CompleteRequest,
    ExpiresAfter,
    FileRequest,
    Purpose,
    UploadRequest,
)
from gemgate.batch_limits import MAX_BATCH_BYTES
from gemgate.errors import ApiError
from gemgate.store import FileRow, StoreError
from gemgate.web.file_response import byte_range, content_headers


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=2-5", (2, 6)),
        ("bytes=2-", (2, 10)),
        ("bytes=2-99", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        (" Bytes = 1 - 2 ", (1, 3)),
        (None, None),
        ("", None),
        ("bytes=-", None),
        ("bytes=5-2", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=٣-", None),
        ("bytes=1-" + "9" * 5000, None),
    ],
)
def test_a_range_is_one_range_of_bytes_or_else_the_whole(header: str | None, expected: Any) -> None:
    assert byte_range(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=11-12", "bytes=-0"])
def test_a_range_without_bytes_is_a_416(header: str) -> None:
    with pytest.raises(ApiError) as refused:
        byte_range(header, 10)
    assert (refused.value.status, refused.value.headers) == (416, {"content-range": "bytes */10"})


def row(**changes: Any) -> FileRow:
    given: dict[str, Any] = {
        "id": "file-1",
        "owner": "o",
        "filename": "f.txt",
        "purpose": "batch",
        "bytes": 1,
        "sha256": "ab",
        "blob_key": "files/1",
        "created_at": 1,
    }
    return FileRow(**(given | changes))


@pytest.mark.parametrize(
    ("mime_type", "expected"),
    [
        ("application/pdf", "application/pdf"),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        (None, "application/octet-stream"),
        ("text/html\r\nset-cookie: a=b", "application/octet-stream"),
        ("ü/plain", "application/octet-stream"),
        ("pdf", "application/octet-stream"),
    ],
)
def test_a_content_type_is_one_or_else_just_bytes(mime_type: str | None, expected: str) -> None:
    assert content_headers(row(mime_type=mime_type))["content-type"] == expected


def test_a_name_is_told_twice_because_old_clients_know_ascii_only() -> None:
    disposition = content_headers(row(filename='grü"\\ße/x.txt'))["content-disposition"]
    assert disposition == "attachment; filename=\"gr____e/x.txt\"; filename*=UTF-8''gr%C3%BC%22%5C%C3%9Fe%2Fx.txt"


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text())
def test_no_name_and_no_type_leaves_its_header(filename: str, mime_type: str) -> None:
    for value in content_headers(row(filename=filename, mime_type=mime_type)).values():
        assert re.fullmatch(r"[ -~]+", value)
        value.encode("ascii")


def test_only_files_for_batches_end_by_themselves() -> None:
    assert lifetime("batch", None) == 30 * 86_400
    assert lifetime("user_data", None) is None
    assert lifetime("batch", ExpiresAfter(anchor="created_at", seconds=3600)) == 3600


def test_a_file_for_a_batch_has_the_smaller_of_two_limits() -> None:
    assert max_bytes("batch", 2**40) == MAX_BATCH_BYTES
    assert max_bytes("batch", 10) == max_bytes("evals", 10) == max_bytes(None, 10) == 10


def test_what_the_store_cannot_do_is_no_fault_of_the_caller() -> None:
    assert upload_error(StoreError("the disk is full")) is None


def test_every_parameter_has_a_fate() -> None:
    assert set(FILES) == {"file", *FileRequest.model_fields}
    assert set(UPLOADS) == set(UploadRequest.model_fields)
    assert set(COMPLETE) == set(CompleteRequest.model_fields)


def test_the_purposes_are_those_of_the_official_client() -> None:
    from openai.types.file_purpose import FilePurpose

    assert get_args(Purpose) == get_args(FilePurpose)
