"""zbctl, the gateway from the command line. It knows nothing of one but its control API."""
