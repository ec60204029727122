"""The kinds of searches: with one objective, with two, and of jobs that train to a number of epochs."""
