"""Why a transaction was or was not credited, in the words of this gateway's own rules."""
