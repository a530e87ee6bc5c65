"""Local chains for the demo, the sandbox and the tests; never in the wheel."""
