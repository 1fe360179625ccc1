"""`python -m pointsman.cli`, where the script is not on the path."""

from pointsman.cli import main

main()
