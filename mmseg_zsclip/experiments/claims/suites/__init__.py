"""One file a method: its runs, and what its paper says about them."""
