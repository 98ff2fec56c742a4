"""GEMGATE_CLIENT_KEYS_FILE: what is taken over, and what each fault is told as."""

from pathlib import Path
from textwrap import dedent

import orjson
import pytest

from gemgate.auth.client_keys import (
    ClientKey,
    Limits,
    digest_of,
    owner_of_key,
    owner_of_name,
)
from gemgate.auth.keys_file import (
    KeysFileError,
    entry_text,
    parse_keys,
    read_keys,
)

HASH = "sha256:" + digest_of("first-key").hex()
OTHER = "sha256:" + digest_of("other-key").hex()


def problems(text: str) -> list[str]:
    with pytest.raises(KeysFileError) as caught:
        parse_keys(dedent(text), "keys.yaml")
    return caught.value.problems


def test_a_file_names_keys_with_limits_and_models() -> None:
    text = f"""
    keys:
      - name: web-app
        hash: {HASH}
        limits: {{requests_per_minute: 60, tokens_per_minute: 100000, concurrent_requests: 10}}
        models: ["gemini-2.5-*", models/gemini-embedding-001]
      - name: cron
        hash: {OTHER.upper().replace("SHA", "sha")}
    """
    assert parse_keys(dedent(text), "keys.yaml") == [
        ClientKey(
            "web-app",
            (digest_of("first-key"),),
            owner_of_name("web-app"),
            Limits(60, 100_000, 10),
            ("gemini-2.5-*", "gemini-embedding-001"),
        ),
        ClientKey("cron", (digest_of("other-key"),), owner_of_name("cron")),
    ]


def test_json_is_read_as_well() -> None:
    text = orjson.dumps({"keys": [{"name": "web-app", "hash": HASH}]}).decode()
    assert parse_keys(text, "keys.json")[0].name == "web-app"


def test_two_hashes_are_one_caller_while_a_key_is_replaced() -> None:
    (entry,) = parse_keys(f"keys: [{{name: a, hash: ['{HASH}', '{OTHER}']}}]", "keys.yaml")
    assert entry.digests == (digest_of("first-key"), digest_of("other-key"))


def test_an_owner_keeps_what_an_older_key_owned() -> None:
    owner = owner_of_key("first-key")
    (entry,) = parse_keys(f"keys: [{{name: a, hash: '{HASH}', owner: '{owner}'}}]", "keys.yaml")
    assert entry.owner == owner


def test_limits_can_be_shared_by_an_anchor() -> None:
    text = f"""
    keys:
      - name: a
        hash: {HASH}
        limits: &usual {{requests_per_minute: 60}}
      - name: b
        hash: {OTHER}
        limits:
          <<: *usual
          tokens_per_minute: 1000
    """
    assert [entry.limits for entry in parse_keys(dedent(text), "k")] == [Limits(60), Limits(60, 1000)]


def test_the_entry_that_the_command_prints_is_taken_over() -> None:
    (entry,) = parse_keys("keys:\n" + entry_text("web-app", "first-key"), "k")
    assert (entry.name, entry.digests, entry.models) == ("web-app", (digest_of("first-key"),), None)
    (kept,) = parse_keys("keys:\n" + entry_text("web-app", "first-key", owner_of_key("first-key")), "k")
    assert kept.owner == owner_of_key("first-key")


def test_the_comments_of_the_entry_are_good_settings() -> None:
    text = "\n".join(line.replace("# ", "", 1) for line in entry_text("web-app", "first-key").splitlines())
    (entry,) = parse_keys(f"keys:\n{text}", "k")
    assert (entry.limits, entry.models) == (Limits(60, 100_000, 10, usd_per_month=50), ("gemini-2.5-*",))


def test_no_key_at_all_can_be_said() -> None:
    assert parse_keys("keys: []", "k") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "keys.yaml: the file is empty. To allow no key at all, write 'keys: []'."),
        ("# nothing\n", "keys.yaml: the file is empty. To allow no key at all, write 'keys: []'."),
        ("keys:\n  - name: [", "keys.yaml, line 2: this is not YAML: "),
        ("keys: *nobody", "keys.yaml, line 1: this is not YAML: found undefined alias"),
        ("keys: \x07", "keys.yaml: this is not YAML: "),
        ("keys: 2026-13-45", "keys.yaml: this is not YAML: "),
        ("{}", "keys.yaml, line 1: 'keys' is missing."),
        ("- a", "keys.yaml, line 1: the file must be fields with values, such as 'name: web-app'."),
        ("keys: []\nkeys: []", "keys.yaml, line 2: 'keys' is given twice."),
        ("keys: 5", "keys.yaml, line 1: 'keys' must be a list."),
        ("keys:\n  - web-app", "keys.yaml, line 2: 'keys[0]' must be fields with values"),
        ("keys:\n  - name: a", "keys.yaml, line 2: 'keys[0].hash' is missing."),
        (f"keys:\n  - hash: {HASH}\n    name: 7", "keys.yaml, line 3: 'keys[0].name' must be a text; put it in quotes"),
        (f"keys:\n  - hash: {HASH}\n    name: a b", "keys.yaml, line 3: 'keys[0].name' must begin with a letter"),
        (f"keys:\n  - {{hash: '{HASH}', name: a, owner: me}}", "'keys[0].owner' must be 16 hexadecimal digits"),
        ("keys:\n  - name: a\n    hash: sk-secret", "keys.yaml, line 3: 'keys[0].hash' is not the hash of a key"),
        ("keys:\n  - name: a\n    hash: []", "keys.yaml, line 3: 'keys[0].hash' must not be an empty list"),
        (
            f"keys:\n  - name: a\n    hash: {HASH}\n    limits:\n      requests_per_minute: 0",
            "keys.yaml, line 5: 'keys[0].limits.requests_per_minute' must be greater than 0; leave it out",
        ),
        (
            f"keys:\n  - name: a\n    hash: {HASH}\n    limits:\n      tokens_per_minute: '5'",
            "keys.yaml, line 5: 'keys[0].limits.tokens_per_minute' must be a whole number, without quotes.",
        ),
        (
            f"keys:\n  - name: a\n    hash: {HASH}\n    limits:\n      request_per_minute: 5",
            "line 5: 'keys[0].limits.request_per_minute' is not a field; did you mean 'requests_per_minute'?",
        ),
        (
            f"keys:\n  - name: a\n    hash: {HASH}\n    budget: 5",
            "line 4: 'keys[0].budget' is not a field; there are name, hash, owner, limits, models.",
        ),
        (f"keys:\n  - name: a\n    hash: {HASH}\n    models: []", "line 4: 'keys[0].models' must not be an empty list"),
        (
            f"keys:\n  - {{name: a, hash: '{HASH}'}}\n  - {{name: a, hash: '{OTHER}'}}",
            "keys.yaml, line 3: 'keys[1].name' is the name of 'keys[0]' too: each key has its own.",
        ),
        (
            f"keys:\n  - {{name: a, hash: '{HASH}'}}\n  - {{name: b, hash: '{HASH}'}}",
            "keys.yaml, line 3: 'keys[1].hash' is the hash of 'keys[0]' too: a key has one entry.",
        ),
    ],
)
def test_a_fault_is_told_with_its_line_and_field(text: str, expected: str) -> None:
    (problem,) = problems(text)
    assert expected in problem
    assert "sk-secret" not in problem


def test_every_fault_is_told_at_once() -> None:
    text = f"""\
    keys:
      - name: a b
        hash: {HASH}
      - name: c
        hash: nothing
    key: []
    """
    assert [problem[: len("keys.yaml, line 2")] for problem in problems(text)] == [
        "keys.yaml, line 2",
        "keys.yaml, line 5",
        "keys.yaml, line 6",
    ]


def test_a_structure_that_holds_itself_is_refused() -> None:
    (problem,) = problems("keys: &all [*all]")
    assert "keys.yaml: this is not YAML" in problem


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeysFileError) as caught:
        read_keys(tmp_path / "none.yaml")
    assert caught.value.problems == [f"{tmp_path}/none.yaml: cannot be read: No such file or directory."]
    (tmp_path / "latin.yaml").write_bytes(b"keys: \xff")
    with pytest.raises(KeysFileError, match="it is not UTF-8"):
        read_keys(tmp_path / "latin.yaml")
