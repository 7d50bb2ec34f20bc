"""A reverse proxy that ends TLS, as a school's would: it passes on what browsers say, WebSockets too, and adds who.

Run as a program it serves until it is ended: certificate, key, its port, the port behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess
import sys

import pytest

SUBJECT = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]


def certificate(folder):
    """Make a certificate that nobody trusts; the test that needs it is skipped, visibly, where there is no openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificate for the proxy")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*command, "-days", "2", "-keyout", key, "-out", cert, *SUBJECT], check=True, capture_output=True)
    return cert, key


@contextlib.contextmanager
def tls_proxy(cert, key, port, to_port):
    """Start the proxy in a process of its own."""
    with subprocess.Popen([sys.executable, __file__, cert, key, str(port), str(to_port)]) as process:
        try:
            yield
        finally:
            process.kill()


async def serve(cert, key, port, to_port):
    async def pass_on(reader, writer):
        """Pass one connection on; its first request says who came, as proxies do."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n")
            from_behind, behind = await asyncio.open_connection("127.0.0.1", to_port)
            behind.write(head + b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n")
            await asyncio.gather(copy(reader, behind), copy(from_behind, writer))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = await asyncio.start_server(pass_on, "127.0.0.1", port, ssl=context)
    await server.serve_forever()


async def copy(reader, writer):
    try:
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
