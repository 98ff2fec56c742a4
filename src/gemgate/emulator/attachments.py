"""Puts uploaded files into the requests that name them."""

from typing import Any

from gemgate.emulator.files import FileShelf
from gemgate.emulator.prompt import parts_of


def attach(files: FileShelf, owner: str, body: dict[str, Any]) -> dict[str, Any]:
    """A canonical request whose `fileData` parts that name an uploaded file hold its bytes instead.

    Raises:
        ApiError: 403 for a file that is unknown to this key, 400 for one that is not ready.
    """
    found = dict(body)
    if contents := body.get("contents"):
        found["contents"] = [attach_content(files, owner, content) for content in contents]
    if system := body.get("systemInstruction"):
        found["systemInstruction"] = attach_content(files, owner, system)
    return found


def attach_content(files: FileShelf, owner: str, content: dict[str, object]) -> dict[str, object]:
    """One turn, as `attach` does it.

    Raises:
        ApiError: As `attach`.
    """
    if not parts_of(content):
        return content
    return {**content, "parts": [_attach_part(files, owner, part) for part in parts_of(content)]}


def _attach_part(files: FileShelf, owner: str, part: dict[str, Any]) -> dict[str, Any]:
    response = part.get("functionResponse") or {}
    if inner := response.get("parts"):
        attached = [files.attached(owner, each) for each in inner]
        part = {**part, "functionResponse": {**response, "parts": attached}}
    return files.attached(owner, part)
