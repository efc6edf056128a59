"""The two ends of the world outside: what would reach customers by mail or phone is caught here and shown by `till outbox`."""

import argparse
import asyncio
import contextlib
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from till_platform.local.part import Part
from till_platform.local.ports import HOST, Ports
from tillstream.local.directory import DataDirectory


class Catchers(Part):
    """The process in which both catchers run."""

    def __init__(self, data_dir: Path, ports: Ports) -> None:
        super().__init__("catchers", data_dir)
        self._ports = ports

    @property
    def address(self) -> str:
        return self.sms_url

    @property
    def smtp(self) -> str:
        return f"{HOST}:{self._ports['smtp']}"

    @property
    def sms_url(self) -> str:
        return f"http://{HOST}:{self._ports['sms']}/messages"

    def prepare(self) -> None:
        self._ports.claim("smtp")
        self._ports.claim("sms")

    def command(self) -> Sequence[str]:
        ports = [f"--smtp-port={self._ports['smtp']}", f"--sms-port={self._ports['sms']}"]
        return [sys.executable, "-m", "tillstream.local.catchers", f"--data-dir={self.data_dir}", *ports]

    def is_ready(self) -> bool:
        from tillstream.local.services import answers

        with contextlib.suppress(OSError), socket.create_connection((HOST, self._ports["smtp"]), timeout=1) as mail:
            return mail.recv(4).startswith(b"220") and answers(f"http://{HOST}:{self._ports['sms']}/livez")
        return False


async def catch(data_dir: DataDirectory, smtp_port: int, sms_port: int) -> None:
    """Both servers, until the process is asked to end."""
    from tillstream.local.outbox import Outbox
    from tillstream.local.sms_catcher import sms_gateway, sms_server
    from tillstream.local.smtp_catcher import smtp_server

    outbox = Outbox(data_dir.outbox)
    outbox.create()
    mail = await smtp_server(outbox, HOST, smtp_port)
    try:
        await sms_server(sms_gateway(outbox), HOST, sms_port).serve()
    finally:
        mail.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--sms-port", type=int, required=True)
    given = parser.parse_args()
    asyncio.run(catch(DataDirectory(given.data_dir), given.smtp_port, given.sms_port))


if __name__ == "__main__":
    main()
