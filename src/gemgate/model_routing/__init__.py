"""Which model answers: the operator's names for models, and the next one where the first cannot."""
