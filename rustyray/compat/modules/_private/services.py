"""``ray._private.services``: what programs ask for their machine's address with."""

from rustyray.util import get_node_ip_address

__all__ = ["get_node_ip_address"]
