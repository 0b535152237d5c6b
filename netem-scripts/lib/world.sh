# shellcheck shell=bash
# The network of one run: a client and a server namespace joined by a veth pair, or by two with a bridge between them that
# plays the middlebox.  Nothing else is connected to it.

readonly CLIENT_ADDRESS=10.78.69.1 SERVER_ADDRESS=10.78.69.2
readonly CLIENT_ADDRESS6=fd4e:4554::1 SERVER_ADDRESS6=fd4e:4554::2
readonly CLIENT_MAC=02:4e:45:00:00:01 SERVER_MAC=02:4e:45:00:00:02

world_names() {
  local id=$1
  CLIENT_NETNS=netem-$id-client SERVER_NETNS=netem-$id-server BOX_NETNS=netem-$id-box
  NAMESPACES="$CLIENT_NETNS $SERVER_NETNS"
  ! needs_box || NAMESPACES+=" $BOX_NETNS"
}

needs_box() { [[ ${TIMELINE_RST:-}${PROFILE[idle]:-} ]]; }

world_make() {
  local netns
  for netns in $NAMESPACES; do call ip netns add "$netns"; done
  if needs_box; then
    call ip link add eth0 netns "$CLIENT_NETNS" address "$CLIENT_MAC" type veth peer name client netns "$BOX_NETNS"
    call ip link add eth0 netns "$SERVER_NETNS" address "$SERVER_MAC" type veth peer name server netns "$BOX_NETNS"
    call ip -n "$BOX_NETNS" link add box type bridge mcast_snooping 0
    link_up "$BOX_NETNS" client master box
    link_up "$BOX_NETNS" server master box
    call ip -n "$BOX_NETNS" link set dev box addrgenmode none up
  else
    call ip link add eth0 netns "$CLIENT_NETNS" address "$CLIENT_MAC" type veth peer name eth0 netns "$SERVER_NETNS" address "$SERVER_MAC"
  fi
  world_side "$CLIENT_NETNS" "$CLIENT_ADDRESS" "$CLIENT_ADDRESS6" "$SERVER_ADDRESS" "$SERVER_ADDRESS6" "$SERVER_MAC"
  world_side "$SERVER_NETNS" "$SERVER_ADDRESS" "$SERVER_ADDRESS6" "$CLIENT_ADDRESS" "$CLIENT_ADDRESS6" "$CLIENT_MAC"
}

# link_up NETNS DEV [MASTER…]: without offloads: netem must lose wire packets, not 64 KiB pieces, and captures must show
# checksums that are right.
link_up() {
  local netns=$1 dev=$2
  shift 2
  in_netns "$netns" ethtool -K "$dev" tx off tso off gso off gro off
  call ip -n "$netns" link set dev "$dev" addrgenmode none up "$@"
}

# world_side NETNS ADDRESS ADDRESS6 PEER PEER6 PEER-MAC: the neighbour is known beforehand, so that neither ARP nor neighbour
# discovery is delayed or lost: only what the command sends is counted.
world_side() {
  call ip -n "$1" link set dev lo up
  link_up "$1" eth0
  call ip -n "$1" address add "$2/30" dev eth0
  call ip -n "$1" address add "$3/64" dev eth0 nodad
  call ip -n "$1" neighbour replace "$4" lladdr "$6" nud permanent dev eth0
  call ip -n "$1" neighbour replace "$5" lladdr "$6" nud permanent dev eth0
}

# world_shape: netem where the packets leave, client's for out and server's for in: no ifb is needed.
world_shape() {
  local side
  for side in $TIMELINE_SIDES; do
    netem_words "$side"
    shape_egress "$(side_netns "$side")" eth0
  done
  ! needs_box || box_make
}

side_netns() { if [[ $1 == out ]]; then printf '%s' "$CLIENT_NETNS"; else printf '%s' "$SERVER_NETNS"; fi; }
