"""The tables as the newest migration leaves them; names are prefixed, a database may be shared."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
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

cells = Table(  # small values that many processes change together: budgets, rates
    "pointsman_cells",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("until_us", BigInteger, nullable=False),  # it may be forgotten from then on
)

virtual_keys = Table(
    "pointsman_virtual_keys",
    metadata,
    Column("name", Text, primary_key=True),  # a name is never used again
    Column("spec", Text, nullable=False),  # tenant, team, tasks, models, limits, as JSON
    Column("made_us", BigInteger, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("expires_us", BigInteger),  # NULL: never
    Column("revoked_us", BigInteger),
)

virtual_key_secrets = Table(  # several of one key while it is rotated
    "pointsman_virtual_key_secrets",
    metadata,
    Column("hash", LargeBinary, primary_key=True),  # keyed: the database alone says nothing
    Column("name", Text, nullable=False, index=True),
    Column("hint", Text, nullable=False),  # its last characters, to tell it from others
    Column("made_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger),  # NULL: as long as the key
)

files = Table(  # what clients leave here; the bytes lie in a folder beside
    "pointsman_files",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("store", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger),  # NULL: never
    Index("ix_pointsman_files_tenant", "tenant", "id"),
)

held = Table(  # answers that wait for people
    "pointsman_held",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("open", Integer, nullable=False),  # 1 until it is decided
    Column("expires_us", BigInteger, nullable=False),
    Column("said", Text, nullable=False),  # the whole of it, as JSON: no text of anybody
    Index("ix_pointsman_held_open", "open", "id"),
)

batches = Table(
    "pointsman_batches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("store", Text, nullable=False),
    Column("input_file", Text, nullable=False),
    Column("open", Integer, nullable=False),  # 1 until it is over
    Column("over_us", BigInteger),
    Column("said", Text, nullable=False),  # the whole of it, as JSON
    Index("ix_pointsman_batches_tenant", "tenant", "id"),
    Index("ix_pointsman_batches_open", "store", "open", "id"),
)
