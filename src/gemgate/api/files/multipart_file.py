"""The form of a new file."""

from typing import get_args

from pydantic import ValidationError
from starlette.requests import Request

from gemgate.api.files.objects import max_bytes, unknown_headers
from gemgate.api.files.wire import FileRequest, Purpose
from gemgate.errors import ApiError
from gemgate.translation.options import FileOptions
from gemgate.translation.validation import from_details, show
from gemgate.web.form_file import FormFile, file_too_large
from gemgate.web.multipart import FormPart


class NewFile(FormFile):
    """The form of `POST /v1/files`.

    Attributes:
        wanted: Its fields, once `chunks` has ended.
        headers: What an answer says of unknown fields, once `chunks` has ended.
    """

    wanted: FileRequest
    headers: dict[str, str]

    def __init__(self, request: Request, options: FileOptions) -> None:
        super().__init__(request, "file", options.max_bytes)
        self._policy = options.unsupported_params

    def _limit(self) -> int:
        return max_bytes(self.fields.get("purpose"), self._max)

    def _begin(self, part: FormPart) -> None:
        super()._begin(part)
        purpose = self.fields.get("purpose")
        if purpose is not None and purpose not in get_args(Purpose):
            raise _unknown_purpose(purpose)

    def _too_large(self, maximum: int) -> ApiError:
        if maximum < self._max:
            hint = " That is OpenAI's limit (Google's is 2 GB, once translated). Split it into several batches."
            return file_too_large("A file with the purpose 'batch'", maximum, hint)
        return file_too_large("A file", maximum, " Send a larger one in parts, to /v1/uploads.")

    def _finish(self) -> None:
        try:
            self.wanted = FileRequest.model_validate(self.fields)
        except ValidationError as error:
            raise from_details(error.errors(include_url=False), self.fields) from None
        self.headers = unknown_headers(self.wanted, self._policy)


def _unknown_purpose(purpose: object) -> ApiError:
    choices = ", ".join(map(repr, get_args(Purpose)))
    msg = f"Invalid value for 'purpose': {show(purpose)}. Supported values are: {choices}."
    return ApiError(400, msg, param="purpose", code="invalid_value")
