"""Request and reply: a node is asked by one client at a time, and whoever asked gets the answer."""
