"""One folder per family of chains; nothing outside knows a chain library."""
