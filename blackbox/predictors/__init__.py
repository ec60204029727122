"""Performance predictors, which rank cells that were not evaluated (`python -m blackbox.predictors`)."""
