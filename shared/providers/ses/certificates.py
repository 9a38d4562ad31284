"""Where the certificate comes from that SNS signs envelopes with."""

from __future__ import annotations

import http.client
import re
import ssl
from collections import OrderedDict
from collections.abc import Callable

from cryptography.x509 import Certificate, load_pem_x509_certificate

from shared.errors import BadSignature, ConfigurationError, DependencyUnavailable
from shared.providers.ses.sns import CertificateLoader

TIMEOUT_S = 5
_MAX_BYTES = 64 * 1024
_CACHED = 16

# A looser pattern would take hosts that anybody can own, e.g. sns.s3.amazonaws.com.
_URL = re.compile(
    r"https://(?P<host>sns\.(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9])\.amazonaws\.com(?P<cn>\.cn)?)"
    r"(?P<path>/SimpleNotificationService-[A-Za-z0-9]{1,128}\.pem)",
    re.ASCII,
)

Fetch = Callable[[str, str], bytes]
"""From host and path to the PEM text, over HTTPS."""


def pinned(pem: str, provider: str) -> CertificateLoader:
    """The one certificate of providers.json; nothing is ever fetched.

    Raises:
        ConfigurationError: `pem` is no certificate.
    """
    try:
        certificate = load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise ConfigurationError(
            f"the certificate_pem of provider {provider} in providers.json is no PEM certificate"
        ) from error
    return lambda _url, _topic_arn: certificate


class FetchedCertificates:
    """Amazon's certificates (CertificateLoader), cached by URL.

    The URL must be SNS's in the very region of the topic. The topic is checked
    against the allow-list before, so no other host is ever connected to.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._cache: OrderedDict[str, Certificate] = OrderedDict()

    def __call__(self, url: str, topic_arn: str) -> Certificate:
        """As CertificateLoader says."""
        found = _URL.fullmatch(url)
        region = topic_arn.split(":")[3:4]
        if found is None or [found["region"]] != region:
            raise BadSignature("SigningCertURL is not SNS's in the region of the topic")
        if bool(found["cn"]) != found["region"].startswith("cn-"):
            raise BadSignature("SigningCertURL is not in the partition of the topic")
        if url in self._cache:
            self._cache.move_to_end(url)
            return self._cache[url]
        try:
            certificate = load_pem_x509_certificate(self._fetch(found["host"], found["path"]))
        except ValueError as error:
            raise BadSignature("there is no certificate at SigningCertURL") from error
        self._cache[url] = certificate
        if len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return certificate


def fetch_over_https(host: str, path: str) -> bytes:
    """GETs a small file, following no redirect.

    Raises:
        BadSignature: the server has no such file.
        DependencyUnavailable: no answer in time, or not a usable one.
    """
    connection = http.client.HTTPSConnection(
        host, timeout=TIMEOUT_S, context=ssl.create_default_context()
    )
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read(_MAX_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        raise DependencyUnavailable(
            "the SNS signing certificate could not be fetched; the report is taken when it is"
            " delivered again"
        ) from error
    finally:
        connection.close()
    if response.status in {403, 404}:
        raise BadSignature("there is no certificate at SigningCertURL")
    if response.status != http.client.OK or len(body) > _MAX_BYTES:
        raise DependencyUnavailable(
            f"the SNS signing certificate could not be fetched (status {response.status})"
        )
    return body
