"""The icon hosts show beside the server: two arches, which are a gateway and an m, and a light behind them.

As data, since a host may be offline and nothing is to be fetched for it; drawn by `packaging/draw_icon.py`. Hosts must
know PNG and should know SVG (MCP 2025-11-25, Icons), so both are named, the sharper one first. The icon is sent
once, with the server's own name, and not with the tools: there it would cost every host its kilobytes in each list.
"""

from base64 import b64encode
from typing import Final

from mcp.types import Icon

SVG: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96">'
    '<rect width="96" height="96" rx="22" fill="#1e3a8a"/>'
    '<circle cx="63" cy="46" r="7" fill="#fbbf24"/>'
    '<path d="M18 72V41a15 15 0 0 1 30 0V72M48 72V41a15 15 0 0 1 30 0V72" fill="none" stroke="#ffffff" stroke-width="11" stroke-linecap="round"/>'
    "</svg>"
)
PNG: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAMAAACdt4HsAAAAYFBMVEXV2uiap8tRZ6RhYmsdOIkdOoseOor9wiGukUjDnj0SMXUXRYuAj70A"
    "f38dOYn9/v4gPIzFzOEAAAAOLIP4vSW9xd0dOot4ibkeOYotR5D+yB0AAP8AAH9PZaMAVaocOomufXCIAAAAIHRSTlP/////G5vc////CQv/"
    "Av7///8A////tP9x//8BAv8DJVJBy3sAAAIASURBVHja7ZfrcoMgEIVXSWJM2xUhKl7z/m9ZhCoUsbGQmf7pmVycM5wvS0RlgSlNjJ1EfcFD"
    "utTixNhNJ2H+6Hv2OCPFw6J4fsypL8DAmPhNXCOECs6Agd3qX8YVor7NBGD98BaSnwlvQy8BEwvLzwQZhomJwLwkCDYBe2CEHnIKZxqep2cG"
    "J4zSCUQcQEDtKUzpuTerhssmjcil9NG+t1wXsIlzmqZNk6aUfw33eUbgrHAcEyiUIBmV4fP2AJSnVWGpSjn1ebsA3hSOGu7zdgCUJ8VGic+z"
    "a4Cf837ZBDD5sTis0RCsCuA4ALYVUP5uKhzbdnTm43jvawmmgqUAaNW/zFuroo0HbgUUx3WsWmzybQjKU9fC6o3LegJ3Bus6kSuoMJ6GGm+d"
    "AzjnEOxlBmu90m3b+Wv5qxMXgLA5xRRL7ZXykOT3e06sH3KnsAyu0AdA0nVZ1nUEsTJQL6D0ATjJ7koZ4WUAAPi104DuyiGognypIP+bCoCT"
    "BUDCpoCYK0KXI5ZhAHqVJzG70lCA9IiUb9xRgL7BRwBQP5giAHveP+Af8FpA5bmpHvHW50Kz7B7M4EOeechVGvxNBzxrm9dUVeNuA596F2uj"
    "ydXru556tbXV9W1Fn3oifrMdvd3v4xqO/gUtT2zTFdX2ffSvaDzjW9/Q5ntYm++w9n/SyU/DHuwlCerm+QAAAABJRU5ErkJggg=="
)
"""64 by 64 pixels, in base64."""


def icons() -> list[Icon]:
    """Return the icon in every format it has."""
    drawn = b64encode(SVG.encode()).decode()
    return [
        Icon(src=f"data:image/svg+xml;base64,{drawn}", mime_type="image/svg+xml", sizes=["any"]),
        Icon(src=f"data:image/png;base64,{PNG}", mime_type="image/png", sizes=["64x64"]),
    ]
