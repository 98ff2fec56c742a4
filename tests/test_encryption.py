import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gemgate.encryption import Encryptor, secret_of


def test_what_is_sealed_comes_back_and_shows_nothing() -> None:
    encrypt = Encryptor(["one"], b"test")
    sealed = encrypt.encrypt(b"hidden")
    assert b"hidden" not in sealed
    assert encrypt.decrypt(sealed) == b"hidden"
    assert Encryptor(["two", "one"], b"test").decrypt(sealed) == b"hidden"


@pytest.mark.parametrize(("secret", "purpose"), [("two", b"test"), ("one", b"another")])
def test_another_secret_or_purpose_does_not_open(secret: str, purpose: bytes) -> None:
    assert Encryptor([secret], purpose).decrypt(Encryptor(["one"], b"test").encrypt(b"hidden")) is None


@pytest.mark.parametrize("forged", [b"", b"hidden", b"gAAAAA==", "schlüssel".encode()])
def test_what_was_not_sealed_does_not_open(forged: bytes) -> None:
    assert Encryptor(["one"], b"test").decrypt(forged) is None


def test_what_is_too_old_does_not_open() -> None:
    encrypt = Encryptor(["one"], b"test")
    sealed = encrypt.encrypt(b"hidden")
    assert encrypt.decrypt(sealed, lifetime=60) == b"hidden"
    assert encrypt.decrypt(sealed, lifetime=-1) is None


@pytest.mark.parametrize(("ahead", "opens"), [(-59, True), (-61, False), (59, True), (61, False), (90, False)])
def test_a_clock_that_is_ahead_or_behind_by_less_than_the_lifetime_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, ahead: int, *, opens: bool
) -> None:
    encrypt = Encryptor(["one"], b"test")
    sealed = encrypt._fernet.encrypt_at_time(b"hidden", 1_000_000)
    monkeypatch.setattr(time, "time", lambda: 1_000_000 + ahead)
    assert (encrypt.decrypt(sealed, lifetime=60) == b"hidden") is opens


def test_a_replica_that_is_ninety_seconds_behind_opens_what_lasts_for_days() -> None:
    fernet = Encryptor(["one"], b"test")._fernet
    sealed = fernet.encrypt_at_time(b"hidden", int(time.time()) + 90)
    assert Encryptor(["one"], b"test").decrypt(sealed, lifetime=86_400) == b"hidden"


def test_the_secret_is_made_once_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(secret_of, [directory] * 32))
    assert len(made) == 1
    assert len(made.pop()) == 64
    (file,) = directory.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
