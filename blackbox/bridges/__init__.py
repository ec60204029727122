"""Bridges to other tools: their optimizers on these search spaces, and these searches on their objectives."""
