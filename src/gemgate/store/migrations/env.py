"""What Alembic runs: the migrations, on the connection and in the transaction that `gemgate.store.schema` hands in."""

from alembic import context

from gemgate.store.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
