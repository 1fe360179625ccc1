"""Answers that wait for people."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """One table more."""
    op.create_table(
        "pointsman_held",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("open", sa.Integer, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.Column("said", sa.Text, nullable=False),
    )
    op.create_index("ix_pointsman_held_open", "pointsman_held", ["open", "id"])
