"""What becomes of each parameter of `POST /v1/files`, `POST /v1/uploads` and its `complete`."""

from gemgate.translation.parameters import ParameterSupport, handled

_EXPIRES_AFTER = handled("the file is gone `seconds` after it was made; without it, after 30 days if it is for a batch")

FILES: dict[str, ParameterSupport] = {
    "file": handled("streamed into the gateway's store, before or after the other fields of the form"),
    "purpose": handled("kept; a file for a `batch` may have 200 MB, any other `GEMGATE_FILES_MAX_BYTES`"),
    "expires_after": _EXPIRES_AFTER,
}

UPLOADS: dict[str, ParameterSupport] = {
    "filename": handled("kept"),
    "purpose": handled("kept; a file for a `batch` may have 200 MB, any other `GEMGATE_UPLOADS_MAX_BYTES`"),
    "bytes": handled("compared with the size of the parts when the upload is completed"),
    "mime_type": handled("kept; the `content-type` of the content"),
    "expires_after": _EXPIRES_AFTER,
}

COMPLETE: dict[str, ParameterSupport] = {
    "part_ids": handled("the parts are put together in this order; parts that are not named are dropped"),
    "md5": handled("compared with the MD5 of the whole"),
}
