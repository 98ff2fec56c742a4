"""A stored file in the shape of Google's. No I/O."""

from base64 import b64encode
from datetime import UTC, datetime

from gemgate.store.tables import FileRow


def file_resource(row: FileRow, origin: str) -> dict[str, object]:
    """`File`, as the Files API shows one that Google made: `GENERATED`, and so one that can be downloaded.

    Args:
        row: The file.
        origin: Where the gateway is, such as `https://ai.example.com`.

    Source: https://ai.google.dev/api/files.
    """
    name = f"files/{row.id}"
    uri = f"{origin}/v1beta/{name}"
    made = _time(row.created_at)
    native: dict[str, object] = {
        "name": name,
        "displayName": row.filename,
        "mimeType": row.mime_type or "application/octet-stream",
        "sizeBytes": str(row.bytes),
        "createTime": made,
        "updateTime": made,
        "sha256Hash": b64encode(row.sha256.encode()).decode(),
        "uri": uri,
        "downloadUri": f"{uri}:download?alt=media",
        "state": "ACTIVE",
        "source": "GENERATED",
    }
    return native if row.expires_at is None else native | {"expirationTime": _time(row.expires_at)}


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
