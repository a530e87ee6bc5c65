"""A merchant's customers: permanent addresses, balances of their own, money to and from them."""
