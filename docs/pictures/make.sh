#!/bin/sh
# Makes dashboard.svg from the recorded outage of the tests (a real run: tui/tests/data/record.sh).
#   cargo build -p clw-tui && docs/pictures/make.sh
# netem.svg is a live run on real netem, in a guest where this kernel has none:
#   netem-scripts/netem-vm.sh -- netem-scripts/watch vpn-flap --sessions 100 --picture docs/pictures/netem.svg
set -eu
cd "$(dirname "$0")"
../../target/debug/clw-tui --replay ../../tui/tests/data/outage.journal --at 16s --once --svg --theme dark --size 130x38 >dashboard.svg
