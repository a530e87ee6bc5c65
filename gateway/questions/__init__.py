"""What the API wants to know of a node: a request row that the network's watcher answers."""
