"""The requests of `/v1/conversations`, named and optional as in OpenAI's reference.

Source: https://platform.openai.com/docs/api-reference/conversations, and openai-python 3.57.
"""

from typing import Annotated

from pydantic import Field

from gemgate.api.responses.wire import MAX_METADATA, MetadataKey, MetadataValue
from gemgate.wire import Wire

MAX_ADDED = 20
"""Items that one request may add, as at OpenAI."""

_Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=MAX_METADATA)]
_Added = Annotated[list[dict[str, object]], Field(max_length=MAX_ADDED)]


class ConversationRequest(Wire):
    """The body of `POST /conversations`."""

    items: _Added | None = None
    metadata: _Metadata | None = None


class ConversationChange(Wire):
    """The body of `POST /conversations/{conversation_id}`."""

    metadata: _Metadata


class ItemsRequest(Wire):
    """The body of `POST /conversations/{conversation_id}/items`."""

    items: _Added
