"""What becomes of each type of item, of tool and of event that OpenAI's API has.

Tests hold the tables against openai-python's types, and against what the translation does with each.
"""

from typing import Literal

from gemgate.translation.parameters import ParameterSupport, dropped, handled, mapped, rejected

_FUNCTION = "`functionDeclarations`: a function with the parameters of OpenAI's tool"
_CALL, _OUTPUT = "`functionCall`", "`functionResponse`, in the order of the calls"
_COMPUTER = "Gemini's models use no computer in OpenAI's way"
_PROGRAM = "Gemini writes no programs that call tools"
_APPROVAL = "Google asks nobody before it calls an MCP server"

ITEMS: dict[str, ParameterSupport] = {
    "message": mapped("a turn; `systemInstruction` for the system and developer messages at the start"),
    "item_reference": handled("the item of an earlier response takes its place"),
    "reasoning": handled("signatures and parts of its `encrypted_content` come back; the summary is not sent"),
    "function_call": mapped(_CALL),
    "function_call_output": mapped(_OUTPUT),
    "custom_tool_call": mapped(f"{_CALL} with one text"),
    "custom_tool_call_output": mapped(_OUTPUT),
    "tool_search_call": mapped(_CALL),
    "tool_search_output": mapped("`functionDeclarations`, and the response to its call"),
    "local_shell_call": mapped(_CALL),
    "local_shell_call_output": mapped(_OUTPUT),
    "shell_call": mapped(_CALL),
    "shell_call_output": mapped(_OUTPUT),
    "apply_patch_call": mapped(_CALL),
    "apply_patch_call_output": mapped(_OUTPUT),
    "mcp_call": mapped("`functionCall` and `functionResponse`, as Google has sent them"),
    "mcp_list_tools": handled("not sent: Google asks the server again"),
    "mcp_approval_request": dropped(_APPROVAL),
    "mcp_approval_response": dropped(_APPROVAL),
    "web_search_call": handled(
        "not sent: what was found is in the text, and Gemini 3's own parts are in the reasoning"
    ),
    "file_search_call": handled("as `web_search_call`"),
    "code_interpreter_call": mapped("its parts of the reasoning before it; else code and output as text"),
    "image_generation_call": mapped("`inlineData`, from the user"),
    "computer_call": dropped(_COMPUTER),
    "computer_call_output": dropped(_COMPUTER),
    "program": dropped(_PROGRAM),
    "program_output": dropped(_PROGRAM),
    "additional_tools": mapped("its tools are declared with those of the request"),
    "configuration_update": mapped("the last one sets `reasoning.effort` and `text.format`"),
    "compaction": mapped("its summary, as text of the user"),
    "compaction_trigger": handled("as the last item: the answer is a `compaction`; elsewhere a 400"),
}
"""By the type of an item of the input."""

TOOLS: dict[str, ParameterSupport] = {
    "function": mapped("`functionDeclarations`"),
    "custom": mapped("`functionDeclarations`: a function of one text, with the grammar in its description"),
    "namespace": mapped("its members, as `namespace__name`"),
    "tool_search": mapped("`execution: client`: a function; else every tool is declared at once, which is noted"),
    "local_shell": mapped(_FUNCTION),
    "shell": mapped(f"{_FUNCTION}; a container is a 400"),
    "apply_patch": mapped(_FUNCTION),
    "web_search": mapped("`googleSearch`"),
    "web_search_2025_08_26": mapped("as `web_search`"),
    "web_search_preview": mapped("as `web_search`"),
    "web_search_preview_2025_03_11": mapped("as `web_search`"),
    "file_search": mapped("`fileSearch`, for Google's stores"),
    "code_interpreter": mapped("`codeExecution`"),
    "image_generation": mapped("`responseModalities` and `imageConfig` of models that make images; else dropped"),
    "mcp": mapped("`mcpServers`, where the model has them and nothing is to be approved; else dropped"),
    "computer": rejected(_COMPUTER),
    "computer_use_preview": rejected(_COMPUTER),
    "programmatic_tool_calling": rejected(_PROGRAM),
}
"""By the type of a tool; an unknown one is dropped."""

Sent = Literal["sent", "never sent"]

EVENTS: dict[str, tuple[Sent, str]] = {
    "response.created": ("sent", "first, with `response.in_progress` behind it"),
    "response.queued": ("sent", "of a response in the background"),
    "response.in_progress": ("sent", "second, and again to break a silence"),
    "response.completed": ("sent", "last, if Gemini is done"),
    "response.incomplete": ("sent", "last, if the answer was cut, filtered or cancelled"),
    "response.failed": ("sent", "last, behind `error`"),
    "error": ("sent", "flat and nested in one object, because clients read either"),
    "response.output_item.added": ("sent", "the first of each item"),
    "response.output_item.done": ("sent", "the last of each item"),
    "response.content_part.added": ("sent", "once in each message"),
    "response.content_part.done": ("sent", "once in each message"),
    "response.output_text.delta": ("sent", "for each piece of text that Gemini sends"),
    "response.output_text.done": ("sent", "once in each message"),
    "response.output_text.annotation.added": ("sent", "for each citation, before the text is done"),
    "response.refusal.delta": ("never sent", "Gemini has no refusals: what was filtered is `incomplete`"),
    "response.refusal.done": ("never sent", "as above"),
    "response.reasoning_summary_part.added": ("sent", "for each title of the thoughts"),
    "response.reasoning_summary_part.done": ("sent", "for each title of the thoughts"),
    "response.reasoning_summary_text.delta": ("sent", "for each piece of thought"),
    "response.reasoning_summary_text.done": ("sent", "for each title of the thoughts"),
    "response.reasoning_text.delta": ("never sent", "Gemini gives summaries of its thoughts only"),
    "response.reasoning_text.done": ("never sent", "as above"),
    "response.function_call_arguments.delta": ("sent", "one, with all arguments"),
    "response.function_call_arguments.done": ("sent", "once in each call"),
    "response.custom_tool_call_input.delta": ("sent", "one, with the whole input"),
    "response.custom_tool_call_input.done": ("sent", "once in each call"),
    "response.web_search_call.in_progress": ("sent", "once in each search"),
    "response.web_search_call.searching": ("sent", "once in each search"),
    "response.web_search_call.completed": ("sent", "once in each search"),
    "response.file_search_call.in_progress": ("sent", "once in each search"),
    "response.file_search_call.searching": ("sent", "once in each search"),
    "response.file_search_call.completed": ("sent", "once in each search"),
    "response.code_interpreter_call.in_progress": ("sent", "once in each run"),
    "response.code_interpreter_call.interpreting": ("sent", "once in each run"),
    "response.code_interpreter_call.completed": ("sent", "once in each run"),
    "response.code_interpreter_call_code.delta": ("sent", "one, with all the code"),
    "response.code_interpreter_call_code.done": ("sent", "once in each run"),
    "response.image_generation_call.in_progress": ("sent", "once for each image"),
    "response.image_generation_call.generating": ("sent", "once for each image"),
    "response.image_generation_call.completed": ("sent", "once for each image"),
    "response.image_generation_call.partial_image": ("sent", "the final image, once, if `partial_images` is above 0"),
    "response.mcp_call.in_progress": ("sent", "once in each call"),
    "response.mcp_call.completed": ("sent", "of a call that has its output"),
    "response.mcp_call.failed": ("sent", "of a call that ended with an error, or without an output"),
    "response.mcp_call_arguments.delta": ("sent", "one, with all arguments"),
    "response.mcp_call_arguments.done": ("sent", "once in each call"),
    "response.mcp_list_tools.in_progress": ("never sent", "Google does not say which tools a server has"),
    "response.mcp_list_tools.completed": ("never sent", "as above"),
    "response.mcp_list_tools.failed": ("never sent", "as above"),
    "response.shell_call_command.added": ("never sent", "calls of a shell come as wholes"),
    "response.shell_call_command.delta": ("never sent", "as above"),
    "response.shell_call_command.done": ("never sent", "as above"),
    "response.shell_call_output_content.delta": ("never sent", "the gateway runs no shell"),
    "response.shell_call_output_content.done": ("never sent", "as above"),
    "response.compaction.compacting": ("never sent", "a compaction comes as a whole"),
    "response.audio.delta": ("never sent", "speech is asked of chat, or of `/audio/speech`"),
    "response.audio.done": ("never sent", "as above"),
    "response.audio.transcript.delta": ("never sent", "as above"),
    "response.audio.transcript.done": ("never sent", "as above"),
}
"""By the type of an event of a stream. No other is ever sent: one of OpenAI's clients dies of an unknown one."""
