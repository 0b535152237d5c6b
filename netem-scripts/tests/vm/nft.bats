#!/usr/bin/env bats
# Resets by nft's bridge family, which user-mode Linux lacks: for the engine qemu (tests/run starts it).

@test "nft's box answers with a reset: the client sees one, with a TTL that no host uses" {
  printf 'rst = 100%%\n' >"$BATS_TEST_TMPDIR/p.conf"
  run "$BATS_TEST_DIRNAME/../../netem" run "$BATS_TEST_TMPDIR/p.conf" --port 7000 --server "exec $BATS_TEST_DIRNAME/transfer.py serve 7000" --wait 7000 -- \
    /usr/bin/python3 -c '
import os, socket
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
raw.settimeout(30)
try:
    with socket.create_connection((os.environ["NETEM_SERVER"], 7000), 30) as c:
        c.sendall(b"1000\n")
        print("got", len(c.recv(1000)))
except ConnectionResetError:
    print("reset")
while True:
    packet = raw.recv(2000)
    if packet[33] & 4:
        print("ttl", packet[8])
        break
'
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output != *pedit* ]]
  [[ $output == *reset*"ttl 61"* ]]
}
