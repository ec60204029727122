"""Models that say of cells they have not seen how good these are (`python -m blackbox.predictors`)."""
