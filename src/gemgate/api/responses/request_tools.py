"""The tools of a request, in Gemini's terms and in the caller's."""

from dataclasses import dataclass, field

from gemgate.api.responses.tool_kinds import ToolIdentity
from gemgate.translation.function_names import NameMap
from gemgate.translation.tool_plan import ToolPlan


@dataclass(slots=True)
class ResponseTools:
    """The tools of a request, in Gemini's terms and in the caller's.

    Attributes:
        plan: Gemini's.
        identities: By Gemini's name, what the caller's tool is.
        draws: Whether images are asked for.
        image_config: Their shape and size.
        shows_partial_images: Whether a stream shows an image before it is whole, as far as Gemini lets it.
        servers: The MCP servers: by Google's name of each, the caller's label.
        allowed: Gemini's names of the only functions whose calls may be shown; None: all.
    """

    plan: ToolPlan = field(default_factory=lambda: ToolPlan(NameMap()))
    identities: dict[str, ToolIdentity] = field(default_factory=dict)
    draws: bool = False
    image_config: dict[str, object] = field(default_factory=dict)
    shows_partial_images: bool = False
    servers: dict[str, str] = field(default_factory=dict)
    allowed: frozenset[str] | None = None
    _owners: dict[str, tuple[str | None, str]] = field(default_factory=dict)

    def key(self, tool: ToolIdentity) -> str:
        """The name to make Gemini's from: `namespace__name` within a namespace, unless another tool is called so."""
        key, owner = tool.key, (tool.namespace, tool.name)
        while self._owners.setdefault(key, owner) != owner:
            key += "_"
        return key

    def native_name(self, tool: ToolIdentity) -> str:
        """Gemini's name of a tool, declared or not."""
        return self.plan.names.to_gemini(self.key(tool))

    def identity(self, native: str) -> ToolIdentity:
        """The tool that Gemini calls; a name that was never sent is a function's."""
        return self.identities.get(native) or ToolIdentity("function", self.plan.names.from_gemini(native))

    def server_label(self, tool: str) -> str:
        """The label of the MCP server whose tool Gemini calls; of several, the one that its name begins with."""
        named = (label for native, label in self.servers.items() if tool.startswith(native))
        return next(named, next(iter(self.servers.values()), ""))
