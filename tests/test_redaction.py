import pytest

from gemgate.redaction import redact, redact_value

KEY = "AIzaSyA-0123456789abcdefghijklmnopqrstu"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"key {KEY} is bad", "key *** is bad"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("GET /v1beta/models?key=abc&alt=sse", "GET /v1beta/models?key=***&alt=sse"),
        ("/x?alt=sse&key=abc", "/x?alt=sse&key=***"),
        ("Consumer 'api_key:abc' has been suspended", "Consumer 'api_key:***' has been suspended"),
        ("x-goog-api-key: abc", "x-goog-api-key: ***"),
        ("sk-proj-0123456789abcdef", "***"),
        ("ya29.a0AfH6SMBx_-0123", "***"),
        ("AQ.Ab8RN6Kx0123456789abcdef", "***"),
        ("the monkey=ape task-force", "the monkey=ape task-force"),
    ],
)
def test_what_looks_like_a_credential_is_hidden(text: str, clean: str) -> None:
    assert redact(text) == clean


def test_a_field_with_a_secrets_name_is_hidden_whatever_it_holds() -> None:
    assert redact_value({"X-Goog-Api-Key": "abc", "n": {"authorization": 1}}) == {
        "X-Goog-Api-Key": "***",
        "n": {"authorization": "***"},
    }


def test_values_are_cleaned_in_depth_and_others_left() -> None:
    assert redact_value([(KEY,), KEY.encode(), 1, None, 2.5]) == [["***"], "***", 1, None, 2.5]
