"""Who may call this gateway, for which models, and how much."""
