"""What the processes of a cluster prove themselves with where TLS is spoken: read from files, or made for the cluster.

All of them hold the same certificate unless the user brings others, so a certificate says "of this cluster" and no
more; who exactly is there is proven by the handshake that follows (`rustyray.wire.handshake`), which is bound to the
TLS session. The authority's own key is thrown away when the certificate is made: nobody can make another.
"""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    import ssl

#: Days that a certificate made here is good for, and that clocks may differ.
DAYS: Final = 3650
SKEW: Final = 1


class CertificateError(ValueError):
    """The certificates cannot be used; the text says why."""


class Certificates(msgspec.Struct, frozen=True, kw_only=True):
    """All are PEM: the ``authority`` that peers' certificates must come from, the own ``chain``, and its ``key``."""

    authority: str
    chain: str
    key: str

    def __repr__(self) -> str:
        return "Certificates(…)"  # the key is nobody's business


def read(chain: str, key: str, authority: str) -> Certificates:
    """The user's own, from files.

    Raises:
        CertificateError: one cannot be read, or they do not fit together.
    """
    texts = []
    for path in (authority, chain, key):
        try:
            with open(path, encoding="ascii") as file:
                texts.append(file.read())
        except (OSError, UnicodeDecodeError) as error:
            raise CertificateError(f"{path} cannot be read as PEM: {error}") from error
    found = Certificates(authority=texts[0], chain=texts[1], key=texts[2])
    check(found)
    return found


def make(name: str) -> Certificates:
    """A new authority, and one certificate from it, for the cluster ``name``.

    Raises:
        CertificateError: the package that does this is not installed.
    """
    try:
        from rustyray.engines.native.network.new_certificates import new
    except ModuleNotFoundError as error:
        raise CertificateError(
            "to make certificates takes the package 'cryptography', which is not installed: pip install "
            "'rustyray[tls]', or bring your own with --tls-cert, --tls-key and --tls-ca"
        ) from error
    authority, chain, key = new(name, DAYS, SKEW)
    return Certificates(authority=authority, chain=chain, key=key)


@lru_cache(maxsize=4)
def contexts(certificates: Certificates) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What connections are made with: for who was connected to, and for who connects. Both ask for a certificate.

    Raises:
        CertificateError: they are not certificates, or the key is another's.
    """
    import ssl

    made = []
    for protocol in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT):
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        # Hosts have many names and addresses; that it is the process that was called is what the handshake proves.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(cadata=certificates.authority)
            _load(context, certificates)
        except (ssl.SSLError, ValueError) as error:
            raise CertificateError(f"the certificates of the cluster cannot be used: {error}") from error
        made.append(context)
    made[0].num_tickets = 0  # sessions are not taken up again
    return made[0], made[1]


def _load(context: ssl.SSLContext, certificates: Certificates) -> None:
    """The module `ssl` takes them from files only: this one is for our eyes alone, and gone afterwards."""
    fd, path = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(f"{certificates.key.rstrip()}\n{certificates.chain}")
        context.load_cert_chain(path, password=_refuse)
    finally:
        os.unlink(path)


def _refuse() -> str:
    """Whoever starts a node may have no terminal to type at."""
    raise CertificateError(
        "the key of the certificate is encrypted, and nobody can be asked for its password: decrypt it first, such as "
        "with 'openssl pkey -in KEY -out PLAIN', in a file for your eyes only"
    )


def check(certificates: Certificates) -> None:
    """Shake hands with oneself: what would fail between two nodes fails here. Raises `CertificateError`."""
    import ssl

    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours, theirs = contexts(certificates)
    sides = [ours.wrap_bio(to_server, to_client, server_side=True), theirs.wrap_bio(to_client, to_server)]
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass  # the other side's turn
            except ssl.SSLError as error:
                raise CertificateError(
                    f"a peer would not accept the certificate: {error}. It must come from the authority that is "
                    "given, be valid now, and be allowed for both servers and clients."
                ) from error
