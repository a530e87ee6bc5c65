"""The blocking call style, made from `aio` by generate.py."""
