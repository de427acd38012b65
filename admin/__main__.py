"""`python -m admin COMMAND`."""

from admin.commands import main

main()
