"""What searches found: regret, fronts, statistics, plots."""
