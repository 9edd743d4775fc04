"""Conway's Game of Life on strips that exchange their edges."""
