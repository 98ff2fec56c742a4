"""A client of a running gateway, as far as the command `gemgate batch` needs one."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self, TypeVar

import httpx
import orjson

_TIMEOUT = httpx.Timeout(60, connect=10, read=300)
_PAGE = 100
_MAX_PAGES = 20

Json = dict[str, Any]
T = TypeVar("T")


class GatewayError(Exception):
    """The gateway refused, or did not answer. `is_passing`: the same call may go well a little later."""

    def __init__(self, message: str, *, status: int = 0, is_passing: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.is_passing = is_passing


class GatewayClient:
    """Calls `/files` and `/batches` below `base_url`; use it as a context manager.

    Every method raises `GatewayError`, with a message for people that does not hold the key.
    """

    def __init__(self, base_url: str, api_key: str | None) -> None:
        self.base_url = base_url.rstrip("/")
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(headers=headers, timeout=_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def upload(self, stream: IO[bytes], name: str) -> Json:
        """The `file` of an input that was sent whole."""
        return self._json("POST", "/files", data={"purpose": "batch"}, files={"file": (name, stream)})

    def file(self, file_id: str) -> Json:
        """The `file`."""
        return self._json("GET", f"/files/{file_id}")

    def create(self, file_id: str, endpoint: str) -> Json:
        """A new `batch`."""
        body = {"input_file_id": file_id, "endpoint": endpoint, "completion_window": "24h"}
        return self._json("POST", "/batches", json=body)

    def batch(self, batch_id: str) -> Json:
        """The `batch`."""
        return self._json("GET", f"/batches/{batch_id}")

    def find_batch(self, file_id: str) -> Json | None:
        """The newest `batch` that was made of this input."""
        params: dict[str, Any] = {"limit": _PAGE}
        for _ in range(_MAX_PAGES):
            page = self._json("GET", "/batches", params=params)
            for batch in page["data"]:
                if batch["input_file_id"] == file_id:
                    return dict(batch)
            if not page["has_more"]:
                return None
            params["after"] = page["last_id"]
        return None

    def download(self, file_id: str, target: Path) -> None:
        """Write the content of a file to `target`, which is there whole or not at all."""
        draft = target.with_name(f".{target.name}.part")
        try:
            with self._failing(), self._http.stream("GET", f"{self.base_url}/files/{file_id}/content") as answer:
                if answer.is_error:
                    answer.read()
                self._raise_for_status(answer)
                with draft.open("wb") as stream:
                    for piece in answer.iter_bytes():
                        stream.write(piece)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)

    def _json(self, method: str, path: str, **request: Any) -> Json:
        with self._failing():
            answer = self._http.request(method, f"{self.base_url}{path}", **request)
        self._raise_for_status(answer)
        try:
            value = orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            value = None
        if not isinstance(value, dict):
            raise GatewayError(f"The server at {self.base_url} is not a gateway: it does not answer with JSON.")
        return value

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise GatewayError(f"{self.base_url!r} is not a URL, such as http://127.0.0.1:8080/v1.") from None
        except (httpx.ConnectError, httpx.ConnectTimeout):
            msg = (
                f"No gateway answers at {self.base_url}. Start one with 'gemgate serve', or name another with "
                "--base-url or GEMGATE_BASE_URL."
            )
            raise GatewayError(msg, is_passing=True) from None
        except httpx.HTTPError as error:
            msg = f"The connection to {self.base_url} broke ({type(error).__name__})."
            raise GatewayError(msg, is_passing=True) from None

    def _raise_for_status(self, answer: httpx.Response) -> None:
        if not answer.is_error:
            return
        status, error = answer.status_code, _error_of(answer)
        is_passing = status in (408, 429) or status >= 500
        if error is None:
            msg = f"The server at {self.base_url} is not a gateway, or this is not its API: HTTP {status}."
        elif status == 401:
            msg = f"The gateway does not accept the API key: {error} Set it with --api-key or GEMGATE_API_KEY."
        else:
            hint = " The URL of a gateway ends in /v1." if error.startswith("Invalid URL") else ""
            msg = f"The gateway answered {status}: {error}{hint}"
        raise GatewayError(msg, status=status, is_passing=is_passing)


def patient(call: Callable[[], T], seconds: float, pause: float, on_failure: Callable[[GatewayError], None]) -> T:
    """What `call` gives, tried again for `seconds` as long as its failure may pass."""
    end = time.monotonic() + seconds
    while True:
        try:
            return call()
        except GatewayError as error:
            if not error.is_passing or time.monotonic() + pause > end:
                raise
            on_failure(error)
        time.sleep(pause)


def _error_of(answer: httpx.Response) -> str | None:
    try:
        return str(orjson.loads(answer.content)["error"]["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
