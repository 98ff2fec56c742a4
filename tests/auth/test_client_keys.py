import pytest

from gemgate.auth.client_keys import (
    ClientKey,
    Limits,
    digest_of,
    is_allowed,
    new_key,
    owner_of_key,
    owner_of_name,
    plain_key,
)
from gemgate.redaction import HIDDEN, redact


def test_a_new_key_is_random_and_looks_like_one_of_openai() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith("sk-gemgate-") and len(key) == 54 for key in keys)


def test_a_new_key_in_a_log_is_hidden() -> None:
    assert redact(f"the key {new_key()} leaked") == f"the key {HIDDEN} leaked"


def test_a_digest_is_sha256() -> None:
    assert digest_of("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_owner_of_a_key_never_changes() -> None:
    """Files and batches are found by it: another digest would lose them all."""
    assert owner_of_key("client-key-0123456789") == "a3883cae806498bf"
    assert owner_of_name("web-app") == "f6634d0d852adceb"


def test_a_name_that_reads_like_a_key_is_another_owner() -> None:
    assert owner_of_name("web-app") != owner_of_key("web-app")


def test_a_plain_key_has_a_name_that_does_not_tell_it() -> None:
    entry = plain_key("client-key-0123456789")
    assert entry.name == "key-" + digest_of("client-key-0123456789").hex()[:8]
    assert "0123" not in entry.name
    assert (entry.owner, entry.models) == (owner_of_key("client-key-0123456789"), None)
    assert not entry.limits


@pytest.mark.parametrize("field", ["requests_per_minute", "tokens_per_minute", "concurrent_requests"])
def test_limits_are_true_when_one_is_set(field: str) -> None:
    assert Limits(**{field: 1})
    assert not Limits()
    assert ClientKey("a", (), "b").limits == Limits()


@pytest.mark.parametrize(
    ("model", "patterns", "allowed"),
    [
        ("gemini-2.5-flash", None, True),
        ("gemini-2.5-flash", ["gemini-2.5-flash"], True),
        ("models/gemini-2.5-flash", ["gemini-2.5-*"], True),
        ("gemini-2.5-flash", ["imagen-*", "*-flash"], True),
        ("gemini-2.5-pro", ["gemini-2.5-flash*"], False),
        ("Gemini-2.5-flash", ["gemini-2.5-flash"], False),
        ("gemini-2.5-flash-lite", ["gemini-2.5-flash"], False),
    ],
)
def test_models_are_allowed_by_patterns(model: str, patterns: list[str] | None, *, allowed: bool) -> None:
    assert is_allowed(model, patterns) is allowed
