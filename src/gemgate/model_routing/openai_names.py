"""OpenAI's names of models that have a counterpart for each of an endpoint's tasks, such as `whisper-1`."""

from collections.abc import Mapping

from gemgate.model_routing.aliases import ModelAliases, bare


def gemini_name(asked: str, names: Mapping[str, str], aliases: ModelAliases) -> str:
    """The name that an endpoint reads for `asked`: one of `names` for OpenAI's, unless the operator's table has it.

    Args:
        asked: The model as the caller named it.
        names: Gemini's models by OpenAI's names of those with the same task.
        aliases: The operator's table.
    """
    name = bare(asked)
    return asked if name in aliases.lists else names.get(name, asked)
