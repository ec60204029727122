"""The results of searches: regret, fronts, statistics, plots."""
