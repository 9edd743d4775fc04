"""What programs import of ``ray.autoscaler``: `sdk`. There is no autoscaler."""
