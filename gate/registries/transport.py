"""The way to a registry: HTTP/1.1 over TLS 1.3, both ends with a certificate of the operator's own authority."""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

from gate.config import RegistryTls
from gate.registries.sealed import private

TLS = ssl.TLSVersion.TLSv1_3


def tls_context(tls: RegistryTls) -> ssl.SSLContext:
    """The gate's end: it trusts ``tls.ca`` alone, checks the host's name, and shows its own certificate.

    Raises OSError (ssl.SSLError is one) where a file is missing or is none, ValueError where everybody may read the key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = TLS
    context.load_verify_locations(tls.ca)
    context.load_cert_chain(tls.certificate, private(tls.key), password="")  # nobody is there to be asked for one
    return context


def connection(url: str, tls: ssl.SSLContext | None, timeout_s: float) -> http.client.HTTPConnection:
    """A connection to the host of ``url``, not connected yet. ``https`` without ``tls`` is an error of ours, never plain text."""
    address = urlsplit(url)
    host = address.hostname or ""
    if address.scheme == "https":
        if tls is None:
            raise ValueError("https wants a TLS context")
        return http.client.HTTPSConnection(host, address.port or 443, timeout=timeout_s, context=tls)
    return http.client.HTTPConnection(host, address.port or 80, timeout=timeout_s)


def path(url: str, resource: str) -> str:
    """``resource`` below the path of ``url``."""
    return urlsplit(url).path.rstrip("/") + resource
