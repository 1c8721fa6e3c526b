"""Ten small tools on the SDK alone: what `start.py` compares with."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("bare")


def _tool(number: int) -> None:
    async def tool(text: str, count: int = 1, loud: bool = False) -> str:
        return text * count if loud else text

    server.add_tool(tool, name=f"tool_{number}", description="Repeat a text.")


for number in range(10):
    _tool(number)

if __name__ == "__main__":
    server.run()
