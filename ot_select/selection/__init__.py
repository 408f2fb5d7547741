"""Which source to start from: rankings on equal terms, the search for the nearest, selectors."""
