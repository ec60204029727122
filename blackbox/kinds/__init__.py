"""The kinds of searches: with one objective, with two objectives, and multi-fidelity."""
