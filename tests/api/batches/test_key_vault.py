import pytest

from gemgate.api.batches.key_vault import KeyVault


def test_a_callers_key_is_encrypted_and_comes_back() -> None:
    vault = KeyVault((), ("secret",))
    sealed = vault.encrypt("AIza-caller")
    assert b"AIza" not in sealed
    assert vault.open(sealed) == "AIza-caller"
    assert vault.encrypt("AIza-caller") != sealed


def test_with_another_secret_a_key_cannot_be_read() -> None:
    sealed = KeyVault((), ("one",)).encrypt("key")
    assert KeyVault((), ("two",)).open(sealed) is None
    assert KeyVault((), ("two", "one")).open(sealed) == "key"
    assert KeyVault((), ("one",)).open(None) is None


def test_a_key_that_the_gateway_holds_is_not_stored_but_named() -> None:
    vault = KeyVault(("first", "second"), ())
    sealed = vault.encrypt("second")
    assert b"second" not in sealed
    assert vault.open(sealed) == "second"


def test_a_held_key_that_was_replaced_gives_way_to_the_first() -> None:
    sealed = KeyVault(("old",), ()).encrypt("old")
    assert KeyVault(("new", "newer"), ()).open(sealed) == "new"
    assert KeyVault((), ("secret",)).open(sealed) is None


def test_without_a_secret_a_callers_key_can_neither_be_read_nor_kept() -> None:
    sealed = KeyVault((), ("secret",)).encrypt("key")
    vault = KeyVault(("held",), ())
    assert vault.open(sealed) is None
    with pytest.raises(ValueError, match="secret"):
        vault.encrypt("key")
