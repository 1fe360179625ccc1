"""Where budgets are counted together: what runs on this machine."""

from tests.support.postgres import fresh_postgres, own_database, postgres_url

__all__ = ["fresh_postgres", "own_database", "postgres_url"]
