"""What can be wrong with the bytes of a peer. All of it is the peer's fault, and ends the connection."""


class WireError(Exception):
    """The peer sent something that this process does not accept."""


class ProtocolError(WireError):
    """The peer sent what no correct peer sends."""


class AuthenticationError(WireError):
    """The peer does not hold the session's key, or is not who it should be."""


class VersionMismatch(WireError):
    """The peer speaks another version of the protocol.

    ``reply`` is what to send before closing, so that the peer can say the same.
    """

    def __init__(self, ours: int, theirs: int, reply: bytes = b"") -> None:
        super().__init__(
            f"the peer speaks version {theirs} of the protocol and this process version {ours}: "
            "run the same version of RustyRay on both sides"
        )
        self.ours = ours
        self.theirs = theirs
        self.reply = reply
