"""What an architecture costs: tables of it, its expectation while the search is on, limits on the outcome."""
