"""The whole gateway on this machine: local chains, every process of ours, a webhook receiver."""
