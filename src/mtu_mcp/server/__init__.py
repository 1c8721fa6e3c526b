"""The MCP edge: everything that knows the protocol's machinery rather than what a model can do.

Owns: assembly, toolsets, error translation, progress, transports. Asks for: an App and the capabilities' index.
Knows nothing of: the gateway's wire. Because: the SDK is the part most likely to change under us, so it is met here
and nowhere else.
"""
