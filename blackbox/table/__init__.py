"""What a search sees of a published table."""
