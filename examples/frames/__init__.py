"""Image frames: 50 MB NumPy arrays handed from actor to actor."""
