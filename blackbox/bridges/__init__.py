"""Other tools that search our spaces, and our searches on their objectives."""
