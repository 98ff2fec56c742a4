"""The blocks of code on a page, and what a reader would do with each."""

import io
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import yaml

_BLOCK = re.compile(
    r"(?: *<!-- not run: (?P<why>[^>]+) -->\n)?^(?P<indent> *)```(?P<language>\S+)[^\n]*\n(?P<code>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


PRINTED = "__printed__"
"""Among the names of a page: what its last block has printed."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code.

    Attributes:
        language: As the page has it.
        code: The text, not indented.
        line: Where it begins.
        why_not: Why it cannot be run here; empty: it can.
    """

    language: str
    code: str
    line: int
    why_not: str = ""


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page that name their language."""
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        code = re.sub(rf"^{found['indent']}", "", found["code"], flags=re.MULTILINE)
        yield Block(found["language"], code, text[: found.start()].count("\n") + 1, found["why"] or "")


def run(block: Block, code: str, names: dict[str, Any]) -> None:
    """Run `code`, which is that of `block` with addresses that are served here.

    Python shares `names` with the blocks before it. Text is the output of the block before. Data must be readable.

    Raises:
        AssertionError: the language is one that nothing is known about.
    """
    if block.language == "python":
        printed = io.StringIO()
        names["print"] = partial(print, file=printed)  # not all of stdout: the gateway logs there
        exec(compile("\n" * block.line + code, "the page", "exec"), names)
        names[PRINTED] = printed.getvalue()
    elif block.language in ("sh", "bash"):
        names[PRINTED] = _shell(code)
    elif block.language == "console":
        _shell("\n".join(re.findall(r"^\$ (.*)$", code, re.MULTILINE)))
    elif block.language == "text":
        assert names[PRINTED].strip() == code.strip()
    elif block.language == "json":
        _ = [orjson.loads(part) for part in re.split(r"\n(?=\{)", code)]
    elif block.language == "yaml":
        list(yaml.safe_load_all(code))
    elif block.language == "toml":
        tomllib.loads(code)
    else:
        raise AssertionError(f"nothing is known about blocks in {block.language!r}: say why it is not run")


def _shell(code: str) -> str:
    quiet = 'curl() { command curl --silent --show-error --fail --noproxy "*" "$@"; }\n'
    done = subprocess.run(["bash", "-euc", quiet + code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
