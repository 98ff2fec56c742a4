"""What becomes of each parameter of a new batch."""

from gemgate.translation.parameters import Fate, answered, mapped

FATES: dict[str, Fate] = {
    "input_file_id": mapped("each line is translated like a live request; the lines become one job at Google"),
    "endpoint": mapped("`batchGenerateContent` or `asyncBatchEmbedContent`"),
    "completion_window": answered("`24h`; what is not done by then is cancelled at Google, and the batch is `expired`"),
    "metadata": answered("kept with the batch"),
    "output_expires_after": answered("the output file and the error file are deleted then"),
}
