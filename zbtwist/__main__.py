"""`python -m zbtwist`: the gateway, as `zbgate`."""

from zbtwist.app.command import main

main()
