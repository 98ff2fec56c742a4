"""What becomes of each parameter of `POST /v1/files`, `POST /v1/uploads` and its `complete`."""

from gemgate.translation.parameters import Fate, answered

_EXPIRES_AFTER = answered(
    "the file is gone `seconds` after it was made; without it, after 30 days if it is for a batch"
)

FILES: dict[str, Fate] = {
    "file": answered("streamed into the gateway's store, before or after the other fields of the form"),
    "purpose": answered("kept; a file for a `batch` may have 200 MB, any other `GEMGATE_FILES_MAX_BYTES`"),
    "expires_after": _EXPIRES_AFTER,
}

UPLOADS: dict[str, Fate] = {
    "filename": answered("kept"),
    "purpose": answered("kept; a file for a `batch` may have 200 MB, any other `GEMGATE_UPLOADS_MAX_BYTES`"),
    "bytes": answered("compared with the size of the parts when the upload is completed"),
    "mime_type": answered("kept; the `content-type` of the content"),
    "expires_after": _EXPIRES_AFTER,
}

COMPLETE: dict[str, Fate] = {
    "part_ids": answered("the parts are put together in this order; parts that are not named are dropped"),
    "md5": answered("compared with the MD5 of the whole"),
}
