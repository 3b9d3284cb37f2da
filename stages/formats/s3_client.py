"""botocore's half of `stages.formats.s3`: a client for the options of a URI, and what its errors mean."""

from __future__ import annotations

import errno
import os
from typing import Any

import botocore.session
from botocore import UNSIGNED, exceptions, parsers
from botocore.config import Config

from stages.formats import certificates
from stages.formats.ranged_file import REPLACED

CONNECT_SECONDS = 10
READ_SECONDS = 60
_PASSING_CODES = (
    *("SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Throttling", "ThrottlingException"),
    *("BadDigest", "OperationAborted", "ConditionalRequestConflict", "TemporaryRedirect"),
)
TRUST = "name the file of an authority of your own in AWS_CA_BUNDLE or ?tls_ca_file_path="
ELSEWHERE = "the bucket is at another endpoint or in another region: add ?region=NAME or ?endpoint_override=HOST"


def client_of(options: dict[str, str]) -> Any:
    """A client of botocore: credentials, region and endpoint as AWS's own tools find them, where a URI says nothing."""
    endpoint = options.get("endpoint_override")
    if endpoint and "://" not in endpoint:
        endpoint = f"{options.get('scheme', 'https')}://{endpoint}"
    own = endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    style = "path" if own and options.get("force_virtual_addressing") != "true" else "auto"
    config = Config(
        retries={"total_max_attempts": 1},  # ours are counted
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=32,
        request_checksum_calculation="when_required",  # a body carries its MD5, which every server knows
        response_checksum_validation="when_required",
        s3={"addressing_style": style},
        signature_version=UNSIGNED if options.get("anonymous") in ("true", "1") else None,
    )
    session = botocore.session.get_session()
    return session.create_client(
        "s3",
        region_name=options.get("region") or session.get_config_variable("region") or "us-east-1",
        endpoint_url=endpoint,
        verify=options.get("tls_ca_file_path"),
        aws_access_key_id=options.get("access_key"),
        aws_secret_access_key=options.get("secret_key"),
        aws_session_token=options.get("session_token"),
        config=config,
    )


def is_untrusted(error: Exception) -> bool:
    """Whether the certificate of a server is not accepted, which the next try does not change."""
    return isinstance(error, exceptions.SSLError) and bool(certificates.fault(error))


def is_unheard(error: Exception) -> bool:
    """Whether nobody answered at all: a wrong address, or a proxy that is none, rather than a busy server; or none that
    speaks TLS, as where ``https`` leads to a server without it."""
    kinds = (exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError, exceptions.ProxyConnectionError)
    return isinstance(error, (*kinds, exceptions.SSLError))


def passes(error: Exception) -> bool:
    """Whether the same request may well be answered when it is made again."""
    if isinstance(error, exceptions.ClientError):
        status = status_of(error)
        return (status >= 500 and status != 501) or status in (408, 429) or code_of(error) in _PASSING_CODES
    if is_untrusted(error):
        return False
    kinds = (exceptions.HTTPClientError, exceptions.IncompleteReadError, parsers.ResponseParserError)
    return isinstance(error, (*kinds, exceptions.ConnectionError, ConnectionError, TimeoutError))


def status_of(error: Any) -> int:
    """HTTP status of an error; 0 of those that are no answer."""
    response = getattr(error, "response", None)
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) if isinstance(response, dict) else 0


def code_of(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def as_os_error(error: Exception, path: str) -> OSError:
    """An error of botocore in one line that names the object."""
    ours = not isinstance(error, (exceptions.BotoCoreError, ConnectionError, TimeoutError))
    if isinstance(error, OSError) and ours:
        return error
    uri = f"s3://{path}"
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        return PermissionError(f"{uri}: no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE")
    message = str(error).strip().partition("\n")[0]
    if isinstance(error, RecursionError):  # botocore asks where the bucket is, and is sent away again
        return OSError(f"{uri}: sent on, HTTP 301: {ELSEWHERE}")
    if is_untrusted(error):
        return OSError(f"{uri}: {certificates.fault(error, TRUST)}")
    if not isinstance(error, exceptions.ClientError):
        return OSError(f"{uri}: {message}")
    status = status_of(error)
    why = error.response.get("Error", {}).get("Message") or code_of(error)
    message = f"{uri}: {error.operation_name}: HTTP {status} {why}{f'; {ELSEWHERE}' if status in (301, 307) else ''}"
    if status == 404:
        return FileNotFoundError(errno.ENOENT, message, uri)
    if status in (401, 403):
        return PermissionError(message)
    if status == 412 and error.operation_name == "GetObject":
        return OSError(f"{uri}{REPLACED}")
    if status in (409, 412):
        return FileExistsError(message)
    return OSError(message)
