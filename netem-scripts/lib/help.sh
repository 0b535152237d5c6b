# shellcheck shell=bash

print_help() {
  cat <<'H'
Real bad networks by tc netem: in namespaces of their own, undone on every way out.

Usage: netem COMMAND [OPTIONS]

Commands:
  list                       The profiles, and what each promises to ping
  show                       What holds now, in tc's own words and numbers
  apply PROFILE              Shape an interface that is there
  apply TC-WORDS             The same in netem's own words: apply delay 100ms 20ms loss 1%
  clear                      Take away what apply set up: everywhere, or from --netns and --dev
  run PROFILE -- COMMAND     Make a client and a server namespace, shape what goes between them, run COMMAND in the
                             client's, and remove everything
  doctor                     Tools, rights and kernel features; what is missing, and what brings it; leftovers

A profile is a name from the list or a file (./mine.conf). One that changes over time keeps apply in the foreground.

Which traffic:
  --direction out|in|both    out: from the client (from the interface); in: to it (by an ifb) [the profile's]
  --port N                   Only TCP and UDP from or to this port, IPv4 and IPv6; repeatable; the rest is not touched
  --address ADDR[/LEN]       Only from or to this address
  --share P%                 Only this share of it, packet by packet

Where (apply, clear, show):
  --netns NAME               In this namespace
  --dev IF                   On this interface [the only one of a namespace that netem run made]
  --i-know                   With --dev, for a place that netem run did not make: the host, or another's namespace

Run:
  --server CMD               A shell command for the server's side; ended after the client's
  --client CMD               A shell command for the client's side, instead of -- COMMAND
  --wait PORT                Start the client when the server listens on PORT (at most 10 s)
  --seconds N                End the command (TERM) after N seconds; apply: clear after N seconds
                             COMMAND finds $NETEM_SERVER, $NETEM_SERVER6, $NETEM_CLIENT, $NETEM_CLIENT6 (addresses),
                             $NETEM_NETNS_SERVER, $NETEM_NETNS_CLIENT and $NETEM_PROFILE

Output:
  --json                     show: JSON
  --dry-run                  Print the exact tc, ip and nft calls, and do nothing; needs no root
  -q, --quiet                Only errors
  -v, --verbose              Every call as it is made
  -h, --help, --version

Environment:
  NETEM_PROFILES             Folder of the profiles
  NETEM_RUNTIME_DIR          Where it is noted what has to be undone [/run/clw-netem]

Exit status:
  0 done · run: COMMAND's own · 1 failed · 2 usage · 3 no root · 4 a tool is missing · 5 the kernel lacks a feature
  6 somebody else's qdisc is there · 129, 130, 143 ended by HUP, INT, TERM
H
}
