"""`python -m tests.conformance`: examine a gateway, print the table.

Without --url Pointsman is started on a free port and examined. Exit codes: 0 every case passes,
2 usage, 4 some case fails or is about what the gateway does not have, 5 no gateway there.
"""

import argparse
import contextlib
import dataclasses
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.conformance.bench import Bench, Names
from tests.conformance.matching import Mismatch
from tests.conformance.nginx import installed, nginx
from tests.conformance.own import pointsman
from tests.conformance.report import as_json, as_text
from tests.conformance.suite import Result, run_all, selected
from tests.conformance.upstream import Upstream

_DEFAULT_UPSTREAM = "127.0.0.1:9099"


def main() -> int:
    """The exit code."""
    options = _options()
    cases = selected(options.only, options.surface)
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0
    if options.nginx and not installed():
        print("nginx is not installed", file=sys.stderr)
        return 2
    if not cases:
        print(f"no case is called like {options.only!r}; --list names all", file=sys.stderr)
        return 2
    done = 0

    def told(result: Result) -> None:
        nonlocal done
        done += 1
        if sys.stderr.isatty():
            print(f"\r{done}/{len(cases)}", end="", file=sys.stderr)
        if result.status == "fail" and not options.json:
            print(f"\r{result.case.name}: {result.what}", file=sys.stderr)

    try:
        with _listening(options.upstream) as upstream, _bench(options, upstream) as bench:
            results = run_all(bench, cases, told=told)
    except _Unusable as error:
        print(error, file=sys.stderr)
        return error.code
    if options.json:
        print(
            json.dumps(
                as_json(options.url or ("nginx" if options.nginx else "pointsman"), results),
                indent=2,
            )
        )
    else:
        print(as_text(results))
    return 0 if all(result.status == "pass" for result in results) else 4


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--url", help="base URL of the gateway, with /v1; none: Pointsman itself")
    parser.add_argument("--upstream", metavar="HOST:PORT", default="",
                        help=f"where the suite's upstream listens, {_DEFAULT_UPSTREAM} with --url;"
                        " the port after it refuses connections")  # fmt: skip
    parser.add_argument(
        "--nginx",
        action="store_true",
        help="examine nginx as a plain proxy, to see that the suite can fail",
    )
    parser.add_argument("--key", help="the gateway's API key; none: it asks for none")
    parser.add_argument("--only", metavar="REGEX", type=re.compile, help="cases whose name matches")
    parser.add_argument("--surface", action="append", default=[], help="only this one; repeatable")
    parser.add_argument("--json", action="store_true", help="the whole report as JSON")
    parser.add_argument("--list", action="store_true", help="names of the cases, and nothing else")
    for each in dataclasses.fields(Names):
        name = "--" + each.name.replace("_", "-")
        parser.add_argument(name, type=type(each.default), default=each.default,
                            help=f"default {each.default}")  # fmt: skip
    options = parser.parse_args()
    if options.url and not urlsplit(options.url).hostname:
        parser.error(f"{options.url!r} is no URL; it looks like http://127.0.0.1:4000/v1")
    if options.upstream and not options.upstream.rpartition(":")[2].isdigit():
        parser.error(f"{options.upstream!r} has no port; it looks like {_DEFAULT_UPSTREAM}")
    options.upstream = options.upstream or (_DEFAULT_UPSTREAM if options.url else "")
    return options


class _Unusable(Exception):
    """There is nothing to examine, or nothing to examine it with."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(what)
        self.code = code


@contextmanager
def _listening(where: str) -> Iterator[Upstream]:
    host, _, port = where.rpartition(":")
    upstream = Upstream(int(port or 0), host or "127.0.0.1")
    try:
        upstream.__enter__()
    except OSError as error:
        what = f"the upstream cannot listen on {where}: {error.strerror}; see --upstream"
        raise _Unusable(what, 2) from None
    with contextlib.ExitStack() as stack:
        stack.push(upstream.__exit__)
        yield upstream


@contextmanager
def _bench(options: argparse.Namespace, upstream: Upstream) -> Iterator[Bench]:
    if options.nginx:
        with tempfile.TemporaryDirectory() as folder, nginx(Path(folder), upstream) as bench:
            yield bench
        return
    if options.url is None:
        with tempfile.TemporaryDirectory() as folder, pointsman(Path(folder), upstream) as bench:
            yield bench
        return
    names = Names(**{each.name: getattr(options, each.name) for each in dataclasses.fields(Names)})
    bench = Bench(url=options.url.rstrip("/"), upstream=upstream, key=options.key, names=names)
    try:
        bench.request("GET", names.live)
    except (OSError, Mismatch) as error:
        raise _Unusable(f"no gateway answers at {options.url}: {error}", 5) from None
    yield bench


if __name__ == "__main__":
    sys.exit(main())
