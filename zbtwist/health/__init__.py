"""How the nodes are: which of them answer, lose packets, or have fallen silent, and why."""
