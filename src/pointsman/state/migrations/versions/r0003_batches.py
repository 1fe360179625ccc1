"""Files of clients, and batches that are read from them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Two tables more."""
    op.create_table(
        "pointsman_files",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("store", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("made_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger),
    )
    op.create_index("ix_pointsman_files_tenant", "pointsman_files", ["tenant", "id"])
    op.create_table(
        "pointsman_batches",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("store", sa.Text, nullable=False),
        sa.Column("input_file", sa.Text, nullable=False),
        sa.Column("open", sa.Integer, nullable=False),
        sa.Column("over_us", sa.BigInteger),
        sa.Column("said", sa.Text, nullable=False),
    )
    op.create_index("ix_pointsman_batches_tenant", "pointsman_batches", ["tenant", "id"])
    op.create_index("ix_pointsman_batches_open", "pointsman_batches", ["store", "open", "id"])
