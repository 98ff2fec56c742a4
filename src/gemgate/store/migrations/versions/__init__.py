"""One module for each migration, named for its revision."""
