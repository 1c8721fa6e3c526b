"""`python -m mtu_mcp` is the same command as `mtu-mcp`."""

import sys

from mtu_mcp.cli import main

sys.exit(main())
