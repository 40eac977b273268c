"""`python -m zbtwist`: the gateway, as `zbgate`."""

from zbtwist.command import main

main()
