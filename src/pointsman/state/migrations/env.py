"""Run by Alembic: the migrations, in the transaction that was handed in."""

from alembic import context

from pointsman.state.migrating import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
