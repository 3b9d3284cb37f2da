"""TLS: certificates that are not accepted are told in one line at once, and so are proxies that do not answer."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import urllib.request
from pathlib import Path

import pytest

from stages.formats import retries
from stages.formats.locations import open_file, open_random
from stages.formats.s3 import S3
from stages.formats.web_file import stat_http
from stages.sources import SourceError, SourceParams, list_splits
from tests.support.range_server import RangeServer

x509 = pytest.importorskip("cryptography.x509")
FAULTS = {
    "self-signed": "self.signed certificate; name the file of an authority of your own in",
    "expired": "certificate has expired$",
    "another host": "(certificate is not valid for '127.0.0.1'|'127.0.0.1' doesn't match 'other.example')$",
}


def certificate(folder: Path, host: str, age: int) -> Path:
    """A certificate that signs itself and its key, in one file; made ``age`` days ago for five."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    made = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=age)
    names = x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(made)
        .not_valid_after(made + datetime.timedelta(days=5))
        .add_extension(x509.SubjectAlternativeName([names]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    encoding, layout = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = folder / f"{host}-{age}.pem"
    path.write_bytes(signed.public_bytes(encoding) + key.private_bytes(encoding, layout, plain))
    return path


class TrustedServer(RangeServer):
    """A server of a folder behind a certificate."""

    def __init__(self, folder: Path, certificate: Path) -> None:
        super().__init__(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._http.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.address = f"https://{self.place}"


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The failures before each further try; nothing waits. What a process has set up for TLS is set up anew."""
    found: list[int] = []
    monkeypatch.setattr(retries, "pause", lambda failures, _=None: found.append(failures))
    monkeypatch.setattr(urllib.request, "_opener", None)
    return found


@pytest.mark.parametrize("fault", FAULTS)
def test_a_certificate_that_is_not_accepted_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tries: list[int], fault: str
) -> None:
    host, age = ("other.example" if fault == "another host" else "127.0.0.1", 9 if fault == "expired" else 0)
    path = certificate(tmp_path, host, age)
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    known = {} if fault == "self-signed" else {"tls_ca_file_path": str(path)}
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
    said = f"the certificate of the server is not accepted: .*{FAULTS[fault]}"
    with TrustedServer(tmp_path, path) as server:
        for read in (stat_http, lambda uri: open_random(uri).read(), lambda uri: open_file(uri).read()):
            with pytest.raises(OSError, match=said):
                read(f"{server.address}/a.jsonl")
        with pytest.raises(SourceError, match=said):
            list_splits("web", SourceParams(paths=(f"{server.address}/a.jsonl",)))
        keys = {"access_key": "a", "secret_key": "b", "region": "us-east-1"}
        with pytest.raises(OSError, match=f"s3://bucket/key: {said}"):
            S3({"endpoint_override": server.address, **keys, **known}).stat("bucket/key")
    assert tries == []


def test_a_certificate_of_an_authority_that_is_named_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tries: list[int]
) -> None:
    path = certificate(tmp_path, "127.0.0.1", 0)
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with TrustedServer(tmp_path, path) as server:
        for read in (open_random, open_file):
            assert read(f"{server.address}/a.jsonl").read() == b'{"text": "a"}\n'


def closed() -> str:
    """A place where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def test_a_proxy_that_does_not_answer_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, tries: list[int]
) -> None:
    place = closed()
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://user:word@{place}")
    for read in (stat_http, lambda uri: open_random(uri).read()):
        with pytest.raises(OSError, match=f"Connection refused.* through the proxy {place}, 5 times") as caught:
            read("https://web.example/a.jsonl")
        assert "word" not in str(caught.value)
    assert len(tries) == 2 * (retries.FIRST_TRIES - 1)
    with pytest.raises(OSError, match=f"s3://bucket/key: .*{place}") as caught:
        S3({"access_key": "a", "secret_key": "b", "region": "us-east-1"}).stat("bucket/key")
    assert "word" not in str(caught.value)
    assert len(tries) == 3 * (retries.FIRST_TRIES - 1)


def test_https_to_a_store_without_tls_is_a_wrong_address(tmp_path: Path, tries: list[int]) -> None:
    """Told after a second, not after the minute for which a busy store is waited for."""
    with RangeServer(tmp_path) as server:
        keys = {"access_key": "a", "secret_key": "b", "region": "us-east-1"}
        with pytest.raises(OSError, match=r"s3://bucket/key: .*SSL"):
            S3({"endpoint_override": server.place, "scheme": "https", **keys}).stat("bucket/key")
    assert tries == [*range(1, retries.FIRST_TRIES)]


def test_a_store_that_refuses_connections_for_a_while_is_waited_for(
    s3: str, monkeypatch: pytest.MonkeyPatch, tries: list[int]
) -> None:
    """As one does that is started again in the middle of a run."""
    options = dict(pair.split("=") for pair in s3[1:].split("&"))
    store = S3(options)
    assert store.stat("none/key") is None
    there = store.client()
    monkeypatch.setattr(store, "_client", S3(options | {"endpoint_override": closed()}).client())

    def pause(failures: int, _: Exception | None = None) -> None:
        tries.append(failures)
        if failures == retries.FIRST_TRIES:
            monkeypatch.setattr(store, "_client", there)

    monkeypatch.setattr(retries, "pause", pause)
    assert store.stat("none/key") is None
    assert tries == [*range(1, retries.FIRST_TRIES + 1)]
