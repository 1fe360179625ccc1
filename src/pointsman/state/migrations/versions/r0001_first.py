"""Leases, subject keys, schedules, labels."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """From nothing."""
    op.create_table(
        "pointsman_meta",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("wrapped_by", sa.Text),
    )
    op.create_table(
        "pointsman_leases",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "pointsman_subject_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("subject_hash", sa.LargeBinary),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("secret", sa.LargeBinary),
        sa.Column("wrapped_by", sa.Text),
        sa.Column("made_us", sa.BigInteger, nullable=False),
        sa.Column("destroyed_us", sa.BigInteger),
        sa.UniqueConstraint("subject_hash", "generation", name="pointsman_subject_keys_generation"),
    )
    op.create_table(
        "pointsman_schedules",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("every_s", sa.Float(53), nullable=False),
        sa.Column("next_us", sa.BigInteger, nullable=False),
        sa.Column("last_us", sa.BigInteger),
        sa.Column("last_error", sa.Text),
    )
    op.create_table(
        "pointsman_labels",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Text),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
    )
