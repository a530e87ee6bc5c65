"""How the API is used: counted in memory, added to the database every few seconds."""
