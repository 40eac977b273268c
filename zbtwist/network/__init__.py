"""The nodes: who is out there, and what is known of them."""
