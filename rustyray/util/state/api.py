"""`rustyray.util.state`, where Ray has it."""

from rustyray.util.state import *  # noqa: F403
from rustyray.util.state import __all__  # noqa: F401
