"""`make demo` and `make up`: the whole gateway end to end on local chains."""
