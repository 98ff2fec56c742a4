"""What the results of batches teach the gateway about models."""

from gemgate.api.batches.result_session import ResultSummary
from gemgate.gemini.model_catalog import Catalog
from gemgate.observability.model_watch import ModelWatch


class BatchLessons:
    """Hands on what a batch has taught.

    Args:
        catalog: What believes it.
        watch: Looks at which model has answered.
    """

    def __init__(self, catalog: Catalog, watch: ModelWatch) -> None:
        self._catalog = catalog
        self._watch = watch

    def learn(self, model: str, summary: ResultSummary) -> None:
        """The results of a batch of `model` were read."""
        for fact, value in summary.lessons.items():
            self._catalog.learn(model, fact, value)
        if model and summary.served:
            self._watch.answered(f"models/{model}", {"modelVersion": summary.served})
