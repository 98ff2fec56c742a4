"""The `model` of a request."""

from functools import lru_cache

from gemgate.errors import ApiError
from gemgate.gemini.errors import InvalidNameError
from gemgate.gemini.resource_names import model_path, without_prefixes


@lru_cache(maxsize=1024)  # of names alone, which have 220 characters at most
def model_name(asked: str) -> str:
    """The resource name of the model that was asked for, such as `models/gemini-2.5-flash`.

    What clients of other gateways write before it, such as `gemini/`, is cut.

    Raises:
        ApiError: 400 when it is not a name; it would be in a path.
    """
    try:
        return model_path(without_prefixes(asked))
    except InvalidNameError as error:
        raise ApiError(400, f"'model': {error}", param="model", code="invalid_value") from error
