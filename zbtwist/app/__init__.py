"""The program: the service tree, what starts it, and what a simulated network is good for."""
