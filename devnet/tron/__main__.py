"""`python -m devnet.tron --port P --block-seconds 1 --solid-lag 3` serves until SIGTERM."""

import argparse
import logging

from devnet.chain import port_argument, serve
from devnet.tron.start import hosted

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m devnet.tron", description=__doc__)
    port_argument(parser)
    parser.add_argument(
        "--block-seconds", type=float, default=1, help="0: blocks come by /devnode/mine only"
    )
    parser.add_argument(
        "--solid-lag", type=int, default=3, help="blocks between the head and solid"
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    serve(
        hosted(options.block_seconds, solid_lag=options.solid_lag, port=options.port),
        stop_with_stdin=options.stop_with_stdin,
    )
