"""Which SQL may run: one statement that reads the tables it is given, told by its parsed form."""

from collections.abc import Collection
from typing import Any

from pointsman.evidence.bounded_child import Refused

_MOST_LETTERS = 20_000
_MOST_NODES = 5000
# scalars that tell of the machine or reach beyond the tables, in this version or a later one
_BEYOND = (
    "read_", "getenv", "current_setting", "set_", "pg_", "duckdb_", "pragma_", "glob", "query",
    "sniff_", "sql_", "json_execute", "json_serialize", "which_", "version", "install", "load",
    "nextval", "currval", "txid", "in_search_path", "current_", "session_user", "user",
    "getvariable", "sleep", "write_", "parquet_", "scan_", "sqlite_", "postgres_", "mysql_", "http",
    "range", "generate_series", "repeat", "lpad", "rpad", "random", "setseed", "uuid", "gen_random",
)  # fmt: skip
_ALLOWED_ANYWAY = ("current_date", "current_timestamp", "version_less")


def checked(sql: str, tables: Collection[str], functions: Collection[str]) -> str:
    """The statement written anew from its parsed form.

    Args: tables are those it may name; functions are scalars and aggregates that there are.
    Raises: Refused for anything but one SELECT over these.
    """
    import sqlglot
    from sqlglot import exp

    if len(sql) > _MOST_LETTERS:
        raise _refused(f"it is longer than {_MOST_LETTERS} characters")
    try:
        statements = [one for one in sqlglot.parse(sql, read="duckdb") if one is not None]
    except (sqlglot.errors.SqlglotError, RecursionError, ValueError) as error:
        raise _refused(f"it cannot be parsed: {str(error).splitlines()[0][:200]}") from error
    if len(statements) != 1:
        raise _refused(f"it is {len(statements)} statements")
    root = statements[0]
    if not isinstance(root, exp.Select | exp.SetOperation | exp.Subquery):
        raise _refused(f"it is no SELECT but {type(root).__name__.upper()}")
    nodes = list(root.walk())
    if len(nodes) > _MOST_NODES:
        raise _refused("it has too many parts")
    named = {cte.alias.lower() for cte in root.find_all(exp.CTE)}
    if not all(name.isidentifier() for name in named):
        raise _refused("what WITH names is no plain name")
    allowed = {table.lower() for table in tables}
    known = {name.lower() for name in functions}
    for node in nodes:
        _check(node, exp, allowed | named, known)
    return str(root.sql(dialect="duckdb", comments=False))


def _check(node: Any, exp: Any, tables: set[str], functions: set[str]) -> None:
    if isinstance(node, exp.Table):
        if not isinstance(node.this, exp.Identifier) or node.args.get("db"):
            raise _refused("it names no table of the files, but a function or another place")
        if node.name.lower() not in tables:
            there = ", ".join(sorted(tables))
            raise _refused(f"there is no table {node.name[:60]}; there are {there}")
    elif isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        name = str(node.name or node.this).lower()
        if name not in functions or _is_beyond(name):
            raise _refused(f"the function {name[:60]} is not for it")
    elif isinstance(node, exp.Func):
        names = {name.lower() for name in node.sql_names()}
        if all(_is_beyond(name) for name in names):
            raise _refused(f"the function {min(names)} is not for it")
    elif isinstance(node, _never(exp)):
        raise _refused(f"it may not hold {type(node).__name__.upper()}")


def _never(exp: Any) -> tuple[type, ...]:
    names = ("Command", "DDL", "DML", "Create", "Insert", "Update", "Delete", "Merge", "Drop",
             "Alter", "Copy", "Pragma", "Set", "Attach", "Detach", "Use", "Into", "Placeholder",
             "Parameter", "Lock", "Describe", "Show", "Summarize", "Transaction", "Export",
             "Install")  # fmt: skip
    kinds = [getattr(exp, name, None) for name in names]
    return tuple(k for k in kinds if isinstance(k, type) and not issubclass(exp.Select, k))


def _is_beyond(name: str) -> bool:
    return name.startswith(_BEYOND) and name not in _ALLOWED_ANYWAY


def _refused(why: str) -> Refused:
    return Refused("was not run", why=why,
                   next="one SELECT over the tables of the files is all that runs")  # fmt: skip
