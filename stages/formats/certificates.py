"""Certificates of servers that are not accepted: no fault of a network, so nothing is tried again; told in words."""

from __future__ import annotations

import ssl

from urllib3.util.ssl_match_hostname import CertificateError

TRUST = "name the file of an authority of your own in SSL_CERT_FILE"
UNKNOWN_ISSUER = (18, 19, 20, 21)
"""OpenSSL's codes for what nobody known has signed."""


def fault(error: BaseException | None, trust: str = TRUST) -> str:
    """The fault that a certificate was found to have, and what to do; empty where that is not behind an error.

    Each library wraps the error of OpenSSL in others of its own.

    Args:
        trust: what to do where the authority that signed it is unknown.
    """
    seen: list[object] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ssl.SSLCertVerificationError):
            hint = f"; {trust}" if one.verify_code in UNKNOWN_ISSUER else ""
            return f"the certificate of the server is not accepted: {one.verify_message.rstrip('.')}{hint}"
        if isinstance(one, CertificateError):  # where urllib3 compares names itself
            return f"the certificate of the server is not accepted: {one}"
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return ""
