"""`python -m pointsman`."""

try:
    from pointsman.cli import main

    main()
except KeyboardInterrupt:  # while it was loading: afterwards the commands see to it
    exec("")  # noqa: S102  # why: pointsman.cli.interrupted, which may not be there yet
    raise SystemExit(130) from None
