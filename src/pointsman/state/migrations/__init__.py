"""The schema's history, as Alembic reads it; `migrating.py` runs it."""
