"""Set a demo up: an installation in a folder of its own, beside the sandbox, both on free ports of this machine."""

import socket
from dataclasses import dataclass
from pathlib import Path

_SECRET = "demo-secret-0123456789abcdef0123456789abcdef"  # noqa: S105 - a demo protects nothing

_CONFIG = """\
# The demo's installation. Everything outside is played by the sandbox on this machine.
[server]
port = {rekon_port}
public_url = "http://127.0.0.1:{rekon_port}"
secret = "{secret}"
callback_token = "demo-callback-token-0123456789abcdef"
api_keys = {{ demo = "demo-api-key-0123456789abcdef0123456789" }}

[clock]
kind = "granted"
url = "{sandbox}/clock"

[checks]
deadline_seconds = 1.0

[modes]
default = "automatic"

[sources.toko]
refund_owner = "rekon"
lag_seconds = 2
zone = "Asia/Jakarta"
gateway = "toko"

[sources.mandiri]
refund_owner = "server"
lag_seconds = 2
zone = "Asia/Jakarta"
gateway = "mandiri"

[gateway.toko]
kind = "http"
url = "{sandbox}/servers/toko"
gateway_class = "G2"

[gateway.mandiri]
kind = "http"
url = "{sandbox}/servers/mandiri"
gateway_class = "G2"

[providers.digiflazz]
account = "utama"
base_url = "{sandbox}/digiflazz"
allow_http = true
allow_private = true
credentials = {{ username = "rekonuser", api_key = "dev-key-123" }}
callback_secrets = ["rahasia-demo-callback-0123456789"]

[providers.iak]
account = "utama"
base_url = "{sandbox}/iak"
allow_http = true
allow_private = true
credentials = {{ username = "081234567890", api_key = "dev-key-123" }}

[providers.otomax]
account = "utama"
base_url = "{sandbox}/otomax"
allow_http = true
allow_private = true
credentials = {{ member_id = "RK0001", pin = "1234", password = "rahasia" }}

[channels.webhook]
kind = "webhook"
options = {{ url = "{sandbox}/messages" }}

[messages]
default_channel = "webhook"
operator_channel = "webhook"
operator_address = "operator"
operator_name = "Pak Hendra"
complaint_channel = "webhook"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where a demo lives."""

    folder: Path
    sandbox_port: int
    rekon_port: int

    @property
    def config(self) -> Path:
        """The installation's configuration file."""
        return self.folder / "rekon.toml"

    @property
    def journals(self) -> Path:
        """Where the sandbox writes down what truly happened."""
        return self.folder / "journals"

    @property
    def sandbox_url(self) -> str:
        """Address of the sandbox."""
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def rekon_url(self) -> str:
        """Address of rekon."""
        return f"http://127.0.0.1:{self.rekon_port}"


def set_up(folder: Path) -> Stage:
    """Write the configuration and choose ports."""
    first, second = _free_ports()
    stage = Stage(folder=folder, sandbox_port=first, rekon_port=second)
    text = _CONFIG.format(rekon_port=stage.rekon_port, sandbox=stage.sandbox_url, secret=_SECRET)
    stage.config.write_text(text, encoding="utf-8")
    stage.config.chmod(0o600)
    stage.journals.mkdir(exist_ok=True)
    return stage


def _free_ports() -> tuple[int, int]:
    """Ask the system for two free ports at once, so that they differ."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(two.getsockname()[1])
