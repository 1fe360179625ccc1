"""The tables as the newest migration leaves them; names are prefixed, a database may be shared."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

meta = Table(
    "pointsman_meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("wrapped_by", Text),  # NULL: the value is not under a master key
)

leases = Table(
    "pointsman_leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_us", BigInteger, nullable=False),  # 0: given back
    Column("epoch", BigInteger, nullable=False),
)

subject_keys = Table(
    "pointsman_subject_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("subject_hash", LargeBinary),  # NULL once destroyed: nothing leads back to the subject
    Column("generation", Integer, nullable=False),  # the highest of a subject is the living one
    Column("secret", LargeBinary),  # NULL once destroyed
    Column("wrapped_by", Text),
    Column("made_us", BigInteger, nullable=False),
    Column("destroyed_us", BigInteger),
    UniqueConstraint("subject_hash", "generation", name="pointsman_subject_keys_generation"),
)

schedules = Table(
    "pointsman_schedules",
    metadata,
    Column("name", Text, primary_key=True),
    Column("every_s", Float(53), nullable=False),
    Column("next_us", BigInteger, nullable=False),
    Column("last_us", BigInteger),
    Column("last_error", Text),
)

labels = Table(  # appended, never edited: the highest revision of a name is what it says
    "pointsman_labels",
    metadata,
    Column("name", Text, primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Text),  # NULL: taken away
    Column("by", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)
