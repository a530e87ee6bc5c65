"""What people ask of a watcher: their questions, and what operators decided."""
