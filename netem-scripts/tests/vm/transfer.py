#!/usr/bin/python3
"""A byte server and its client: `transfer.py serve PORT`, `transfer.py fetch ADDRESS PORT BYTES`.

The client asks for a number of bytes, checks every one, and prints the seconds from connect to the last byte.
"""

import socket
import sys
import threading
import time


def pattern(length: int) -> bytes:
    return (bytes(range(251)) * (length // 251 + 1))[:length]


def answer(connection: socket.socket) -> None:
    with connection:
        try:
            line = connection.makefile("rb").readline(32)
            connection.sendall(pattern(int(line)))
        except OSError:
            pass  # the network under test cut it


def serve(port: int) -> None:
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64) as server:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


def fetch(address: str, port: int, length: int, timeout: float) -> None:
    began = time.monotonic()
    with socket.create_connection((address, port), timeout) as connection:
        connection.sendall(b"%d\n" % length)
        got = bytearray()
        while len(got) < length:
            piece = connection.recv(65536)
            if not piece:
                sys.exit(f"cut off after {len(got)} of {length} bytes")
            got += piece
    if got != pattern(length):
        sys.exit("other bytes than were sent")
    print(f"{time.monotonic() - began:.3f}")


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    fetch(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]) if len(sys.argv) > 5 else 60.0)
