"""What becomes of each parameter of a new batch."""

from gemgate.translation.parameters import ParameterSupport, handled, mapped

PARAMETERS: dict[str, ParameterSupport] = {
    "input_file_id": mapped("each line is translated like a live request; the lines become one job at Google"),
    "endpoint": mapped("`batchGenerateContent` or `asyncBatchEmbedContent`"),
    "completion_window": handled("`24h`; what is not done by then is cancelled at Google, and the batch is `expired`"),
    "metadata": handled("kept with the batch"),
    "output_expires_after": handled("the output file and the error file are deleted then"),
}
