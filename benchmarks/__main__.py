"""`make bench`: every figure, one table each."""

from benchmarks import decode, memory, webhooks

if __name__ == "__main__":
    decode.main()
    memory.main()
    webhooks.main()
