"""Where a merchant's money may go: addresses that can be paid, and the merchant's own list of them."""
