"""Search spaces, architectures and their notations."""
