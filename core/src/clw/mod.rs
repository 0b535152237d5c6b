//! The CLW auth protocol: binary opcodes over WebSocket, heartbeats, refreshed tokens.
