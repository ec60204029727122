"""Search, score and retraining, one after another."""
