# shellcheck shell=bash
# The machine in the middle, a bridge in a namespace of its own: it answers segments with a reset, and it forgets idle connections.
#
# Resets by nft where its family bridge can reject, otherwise by tc (pedit turns a server's segment into a reset for the
# client).  Either way they carry a TTL that the two hosts do not use, as a middlebox's do.

readonly BOX_TTL=61

box_make() {
  BOX_ENGINE=nft
  if [[ ${TIMELINE_RST:-} && ! ${OPT_DRY_RUN:-} ]] && ! box_can_reject; then
    BOX_ENGINE=tc
    note "nft cannot reject in the family bridge here (nft_reject_bridge, CONFIG_NFT_BRIDGE_REJECT): resets are made by tc pedit instead"
  fi
  [[ ! ${PROFILE[idle]:-} ]] || call_with "$(box_idle_rules "${PROFILE[idle]}")" ip netns exec "$BOX_NETNS" nft -f -
  if [[ ! ${TIMELINE_RST:-} ]]; then return; fi
  if [[ $BOX_ENGINE == nft ]]; then
    call ip netns exec "$BOX_NETNS" sh -c "echo $BOX_TTL >/proc/sys/net/ipv4/ip_default_ttl; echo $BOX_TTL >/proc/sys/net/ipv6/conf/all/hop_limit"
    call_with "table bridge netem_rst {
  chain resets { type filter hook prerouting priority 0; policy accept; }
}" ip netns exec "$BOX_NETNS" nft -f -
  else
    call tc -n "$BOX_NETNS" qdisc add dev server clsact
  fi
  box_resets "$RST_NOW"
}

box_can_reject() {
  command -v nft >/dev/null && ip netns exec "$BOX_NETNS" nft -f - >/dev/null 2>&1 <<'N'
table bridge netem_probe {
  chain resets {
    type filter hook prerouting priority 0; policy accept;
    meta l4proto tcp numgen random mod 2 < 1 reject with tcp reset
  }
}
delete table bridge netem_probe
N
}

# box_resets SHARE: from now on this share of the segments is answered by a reset; empty: none.
box_resets() {
  local ppm=0 family munge n
  if [[ $1 ]]; then
    share_ppm "$1"
    ppm=$REPLY
  fi
  if [[ $BOX_ENGINE == nft ]]; then
    call_with "$(box_reset_rules "$ppm")" ip netns exec "$BOX_NETNS" nft -f -
    return
  fi
  call tc -n "$BOX_NETNS" filter del dev server ingress
  ((ppm > 0)) || return 0
  share_steps "$1"
  FILTER_PREF=0
  for n in $REPLY; do
    for family in ip ipv6; do
      munge="ip ttl"
      [[ $family == ip ]] || munge="ip6 hoplimit"
      box_reset_filters "$family" "$n" "$munge"
    done
  done
}

# box_reset_filters FAMILY N MUNGE: one in N of the server's segments (ACK, but no SYN, FIN or RST) becomes a reset.
box_reset_filters() {
  local number csum="ip4h and tcp"
  local -a chance=() match=() matches=("")
  [[ $1 == ip ]] || csum=tcp
  (($2 == 1)) || chance=(action gact continue random netrand pipe "$2")
  if [[ ${OPT_PORTS:-} ]]; then
    matches=()
    for number in $OPT_PORTS; do matches+=("dst_port $number" "src_port $number"); done
  fi
  for match in "${matches[@]}"; do
    FILTER_PREF=$((FILTER_PREF + 1))
    # shellcheck disable=SC2086,SC2128  # words
    call tc -n "$BOX_NETNS" filter add dev server ingress protocol "$1" pref "$FILTER_PREF" flower ip_proto tcp tcp_flags 0x10/0x17 $match \
      "${chance[@]}" action pedit ex munge $3 set "$BOX_TTL" munge tcp flags set 0x04 pipe action csum $csum
  done
}

box_reset_rules() {
  printf 'flush chain bridge netem_rst resets\n'
  (($1 > 0)) || return 0
  box_port_matches
  local match chance=''
  (($1 >= 1000000)) || chance="numgen random mod 1000000 < $1 "
  for match in "${MATCHES[@]}"; do
    printf 'add rule bridge netem_rst resets %s tcp flags & (syn | fin | rst | ack) == ack %scounter reject with tcp reset\n' "$match" "$chance"
  done
}

# box_port_matches: what the box acts on, as nft matches, in MATCHES.
box_port_matches() {
  local ports=${OPT_PORTS:-}
  if [[ $ports ]]; then
    MATCHES=("tcp dport { ${ports// /, } }" "tcp sport { ${ports// /, } }")
  else
    MATCHES=("meta l4proto tcp")
  fi
}

# box_idle_rules TIME: a connection is known from its SYN on; a packet either way keeps it known for TIME; what belongs to
# none is dropped without a word, as a NAT does whose mapping has expired.
box_idle_rules() {
  local version type match
  box_port_matches
  printf 'table bridge netem_idle {\n'
  for version in 4 6; do
    printf '  set known%s { type ipv%s_addr . inet_service . ipv%s_addr . inet_service; size 65536; flags dynamic,timeout; timeout %s; }\n' \
      "$version" "$version" "$version" "$1"
  done
  printf '  chain forward {\n    type filter hook forward priority 0; policy accept;\n'
  for version in 4 6; do
    type=ip
    [[ $version == 4 ]] || type=ip6
    local there="$type saddr . tcp sport . $type daddr . tcp dport" back="$type daddr . tcp dport . $type saddr . tcp sport"
    printf '    tcp flags & (syn | ack) == syn update @known%s { %s } accept\n' "$version" "$there"
    printf '    %s @known%s update @known%s { %s } accept\n' "$there" "$version" "$version" "$there"
    printf '    %s @known%s update @known%s { %s } accept\n' "$back" "$version" "$version" "$back"
  done
  for match in "${MATCHES[@]}"; do printf '    %s counter drop\n' "$match"; done
  printf '  }\n}\n'
}
