"""The models of both of Google's APIs as one list, for a gateway that asks both."""

from collections.abc import Mapping

import structlog

from gemgate.gemini.errors import GeminiError
from gemgate.gemini.model_list import PATH, Requests, all_models
from gemgate.gemini.resource_names import VERTEX

VERTEX_PATH = f"/v1beta/{VERTEX}models"
"""Where the gateway's own client has the list of Vertex AI, whose names begin with `vertex/`."""

_log = structlog.get_logger()


class BothLists:
    """Asks for both lists, that of Vertex AI behind the last page of the Developer API's.

    Args:
        gemini: The way to both.
    """

    def __init__(self, gemini: Requests) -> None:
        self._gemini = gemini

    async def request(self, method: str, path: str, *, key: str | None, params: Mapping[str, str]) -> dict[str, object]:
        """A page of the list. Without Vertex AI's part, if that cannot be had: the log says why.

        Raises:
            GeminiError: the Developer API gave none.
        """
        page = await self._gemini.request(method, path, key=key, params=params)
        listed = page.get("models") or []
        if path != PATH or page.get("nextPageToken") or not isinstance(listed, list):
            return page
        try:
            more = await all_models(lambda params: self._gemini.request("GET", VERTEX_PATH, key=None, params=params))
        except GeminiError as error:
            _log.warning("the list of Vertex AI's models could not be read", status=error.status)
            return page
        return {**page, "models": [*listed, *more.values()]}
