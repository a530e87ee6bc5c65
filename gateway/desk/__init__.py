"""The operator's desk: money that is nobody's, and two people to decide whose it becomes."""
