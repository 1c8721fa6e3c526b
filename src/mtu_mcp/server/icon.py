"""The icon hosts show beside the server: two arches, which are a gateway and an m, and a light behind them.

As data, since a host may be offline and nothing is to be fetched for it; drawn by `packaging/draw_icon.py`. Hosts must
know PNG and should know SVG (MCP 2025-11-25, Icons), so both are named, the sharper one first. They are small, since
on 2026-07-28 the server's own name, icon included, goes with every answer.
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
    "iVBORw0KGgoAAAANSUhEUgAAADAAAAAwCAMAAABg3Am1AAAAYFBMVEVYbajS1+cAcXGap8oeOYrNpDkAP384SXwkSJE7VJlhY2qKfFiojUi7"
    "xOH9wSMdOYn9/v4hPYzX3OoAAADByd4QLoP2vCYrRIwdNooeOoq7xNx5irkeOor/yRzb4OwAAH+sk8iiAAAAIHRSTlP//wL/tP8E/wf/////"
    "///+////AP////8Zcv//yf//AnL6jHkAAAF8SURBVHja7VbJloMgEGxiErPNtA0iLjHz/385bBIwxshhbtMHfdVWUWzSgBDiR4i22+Nq7LvW"
    "EgWY17FDwg9B2B2NAsROtPePdCu5t5oMm/leAbvTVr5RnHYgus18regEtJgVLeQYGAtI5p9oeixBux6QTDVK/ZLSrcoM+oCILhUUPesLUNK0"
    "m8BXgU4Nj8oFKwwhgTQXEKq+egY/qzqBQQGBz6s42AzCpAhdqqvV4CpxIDlMH/qk6ScsJMUOirnvoLPAAj2GKnIgCd5X2mQfukFm2RwcnIUX"
    "FDYHNkd4dgIzUBlggRR1yTbCw+rYXjA9+5frZbLgyRhYKqgdVIdxHA8lWv9HIqijVIB4G5umGQ++uVcBTwVcNd+NifLrrwShS/U2wQNLM+jm"
    "slWgobrergozBH4nbxeQ3Rq5Dv+C1d26CJd/oBUY/9ODP3tW4XQuDZwP0ZH7Hj6Pe5pXzUW4nwoKpZR3UBeU7JKVXRSzy252Yc++OuRfTjKv"
    "P78Xc447Qr7CugAAAABJRU5ErkJggg=="
)
"""48 by 48 pixels, in base64."""


def icons() -> list[Icon]:
    """Return the icon in every format it has."""
    drawn = b64encode(SVG.encode()).decode()
    return [
        Icon(src=f"data:image/svg+xml;base64,{drawn}", mime_type="image/svg+xml", sizes=["any"]),
        Icon(src=f"data:image/png;base64,{PNG}", mime_type="image/png", sizes=["48x48"]),
    ]
