"""The source of both call styles: `plain` is made from here by generate.py."""
