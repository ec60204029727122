"""Layout of the boxes and arrows of diagrams; it does not need matplotlib."""
