"""The only place that sees a private key: file, derivation, journal, signing, socket."""
