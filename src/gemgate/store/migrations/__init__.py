"""The migrations. Each only adds, so that an older replica works on while a newer one starts.

To change the schema: change `gemgate.store.tables`, and add `versions/r0002.py` (and so on) with `upgrade` and a
`down_revision` that names the one before. A test says in what the two differ.
"""
