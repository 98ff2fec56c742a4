"""What lines that Google has refused teach about their model, for whatever is asked of it later."""

from collections.abc import Mapping

from gemgate.api.batches.line_limit import line_limit
from gemgate.api.batches.line_translation import LineJob, LineRequest, Translators, prepare
from gemgate.api.lessons import lesson_from, may_teach
from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError


class LineLessons:
    """Learns from refused lines as live requests do. A line is not sent again: its batch has ended.

    Args:
        job: The batch.
        made: The translators that have made the requests.
        taught: Others of the same facts, which learn: a batch teaches several facts, one after the other.

    Attributes:
        taught: What was learned, by the names of facts.
    """

    def __init__(self, job: LineJob, made: Translators, taught: Translators) -> None:
        self.taught: dict[str, object] = {}
        self._job = job
        self._made = made.for_answers()
        self._policy = taught.chat
        self._learning = taught.for_answers()

    def consider(self, body: Mapping[str, object], error: GeminiError) -> ApiError | None:
        """Learn from the refusal of a line; under the policy `strict`, the error that names the parameter."""
        if not may_teach(error):
            return None
        try:
            with line_limit():
                self._learn(body, error)
        except ApiError as refusal:
            return refusal
        except Exception:  # noqa: BLE001  one line must not spoil the others
            return None
        return None

    def _learn(self, body: Mapping[str, object], error: GeminiError) -> None:
        """Raises: ApiError: as `lesson_from` does."""
        sent = prepare(body, self._job, self._made).sent()
        if sent is None:
            return
        lesson = lesson_from(error, sent.model, sent.body, sent.notes, self._policy)
        if lesson is None:
            return
        catalog, before = self._policy.catalog, self._translated(body)
        supposition = catalog.suppose(sent.model, lesson.fact, lesson.value)
        after = self._translated(body)
        if before is None or after is None or (before.body, before.calls) == (after.body, after.calls):
            catalog.withdraw(supposition)
            return
        self.taught[lesson.fact] = lesson.value

    def _translated(self, body: Mapping[str, object]) -> LineRequest | None:
        return prepare(body, self._job, self._learning).sent()
