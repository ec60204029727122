"""Pages for a browser, each one HTML file that needs nothing else: what all of them share."""
