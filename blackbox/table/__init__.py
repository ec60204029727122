"""Published tables as the objectives of searches."""
