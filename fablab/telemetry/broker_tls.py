"""A certificate for the broker from an authority of our own, for networks that have none."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
# Clients refuse certificates that are valid for longer than this (CA/Browser Forum, 2020: 398 days).
BROKER_DAYS = 397
RENEW_DAYS = 60
_BACK = timedelta(hours=1)


@dataclass(frozen=True)
class Papers:
    """PEM texts: the authority's certificate (for every client) and key (for renewal), the broker's own."""

    authority: str
    authority_key: str
    certificate: str
    key: str


def papers(folder: Path, hosts: Sequence[str], now: datetime) -> Papers:
    """The papers in ``folder`` where they still serve these hosts, else new ones from the same authority.

    Files: ca.pem, ca.key, broker.pem, broker.key. Nothing is written here. Raises ValueError for files that
    are no PEM, or a host that is neither a name nor an address.
    """
    names = [_name(host) for host in hosts]
    texts = {name: _text(folder / name) for name in ("ca.pem", "ca.key", "broker.pem", "broker.key")}
    if texts["ca.pem"] and texts["ca.key"] and _days_left(texts["ca.pem"], now) > BROKER_DAYS:
        authority, authority_key = texts["ca.pem"], texts["ca.key"]
        if texts["broker.key"] and _serves(texts["broker.pem"], authority, names, now):
            return Papers(authority, authority_key, texts["broker.pem"], texts["broker.key"])
    else:
        authority, authority_key = _new_authority(now)
    certificate, key = _new_certificate(authority, authority_key, names, now)
    return Papers(authority, authority_key, certificate, key)


def _new_authority(now: datetime) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Fablab broker authority")])
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        _builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _pem(made), _key_pem(key)


def _new_certificate(
    authority: str, authority_key: str, names: Sequence[x509.GeneralName], now: datetime
) -> tuple[str, str]:
    issuer = x509.load_pem_x509_certificate(authority.encode())
    issuer_key = serialization.load_pem_private_key(authority_key.encode(), None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise ValueError("ca.key: is not the key of an authority made here")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Fablab broker")])
    made = (
        _builder(subject, issuer.subject, key.public_key(), now, BROKER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return _pem(made), _key_pem(key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        # A Raspberry Pi's clock may be a little behind.
        not_valid_before=now - _BACK,
        not_valid_after=now + timedelta(days=days),
    )


def _serves(certificate: str, authority: str, names: Sequence[x509.GeneralName], now: datetime) -> bool:
    if not certificate or _days_left(certificate, now) < RENEW_DAYS:
        return False
    found = x509.load_pem_x509_certificate(certificate.encode())
    try:
        there = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.encode()))
    except (x509.ExtensionNotFound, InvalidSignature, ValueError, TypeError):
        # For no host, or from another authority.
        return False
    return set(there) == set(names)


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _days_left(certificate: str, now: datetime) -> int:
    return (x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc - now).days


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii") if path.exists() else ""


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
