//! What would stop a run before it starts: descriptors, ports, addresses.
