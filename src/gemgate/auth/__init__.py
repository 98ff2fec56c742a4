"""Who calls, with which key, for which models, and how much."""
