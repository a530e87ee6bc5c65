"""`make bench`: every figure, one table each; each family's decoder in a file of its own."""

from importlib import import_module
from pathlib import Path

from benchmarks import (
    catch_up,
    head_solana,
    invoice_tables,
    payouts,
    pool,
    pool_generation,
    signing,
    sweeps,
    webhooks,
    webhooks_hanging,
)
from benchmarks.invoice_creation import __main__ as invoice_creation

if __name__ == "__main__":
    for path in sorted(Path(__file__).parent.glob("decode_*.py")):
        import_module(f"benchmarks.{path.stem}").main()
    pool.main()
    catch_up.main()
    head_solana.main()
    webhooks.main()
    webhooks_hanging.main()
    invoice_creation.main()
    invoice_tables.main()
    signing.main()
    pool_generation.main()
    sweeps.main()
    payouts.main()
