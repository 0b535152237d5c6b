# shellcheck shell=bash
# The queues of one interface.  Everything of ours has a handle of its own, so that what others set up is known and left alone.

readonly ROOT=4e45:           # "NE"
readonly INNER=4e46:          # netem below prio, where only a part of the traffic is shaped
readonly PREFERENCE=20037     # 0x4e45: of our filter on ingress

# root_owner NETNS DEV: none, ours, or what stands there, in REPLY.
root_owner() {
  local line
  REPLY=none
  while IFS= read -r line; do
    if [[ $line =~ ^qdisc\ ([a-z_0-9]+)\ ([0-9a-f]+:)\ (dev\ [^\ ]+\ )?root ]]; then
      case ${BASH_REMATCH[2]} in
        0:) REPLY=none ;;  # the kernel's own
        "$ROOT") REPLY=ours ;;
        *) REPLY="${BASH_REMATCH[1]} ${BASH_REMATCH[2]}" ;;
      esac
      return
    fi
  done < <(ask_tc "$1" qdisc show dev "$2")
}

# ingress_owner NETNS DEV: the same for the ingress side.  It has no handle of our own: ours is the one with our filter, or
# with none yet, beside our ifb (killed between the two calls).
ingress_owner() {
  local line kind='' filters
  while IFS= read -r line; do
    if [[ $line =~ ^qdisc\ (ingress|clsact)\  ]]; then kind=${BASH_REMATCH[1]}; fi
  done < <(ask_tc "$1" qdisc show dev "$2")
  if [[ ! $kind ]]; then
    REPLY=none
    return
  fi
  filters=$(ask_tc "$1" filter show dev "$2" parent ffff:) || filters=''
  if [[ $kind == ingress ]] && { [[ $filters == *"pref $PREFERENCE "*"mirred"* ]] || { [[ ! $filters ]] && has_mirror "$1" "$2"; }; }; then
    REPLY=ours
  else
    REPLY="$kind ffff:"
  fi
}

has_mirror() {
  mirror_name "$1" "$2"
  ip ${1:+-n "$1"} link show dev "$REPLY" >/dev/null 2>&1
}

# mirror_name NETNS DEV: the ifb that belongs to an interface, in REPLY; by its number, since the name may be 15 characters long.
mirror_name() {
  local line
  if [[ $1 ]]; then line=$(ip -n "$1" -o link show dev "$2" 2>/dev/null) || line=0:; else line=$(ip -o link show dev "$2" 2>/dev/null) || line=0:; fi
  REPLY=nifb${line%%:*}
}

has_filter() { [[ ${OPT_PORTS:-}${OPT_ADDRESS:-}${OPT_SHARE:-} ]]; }

# shape_egress NETNS DEV: gives the interface the queue that WORDS describes.
shape_egress() {
  local netns=$1 dev=$2
  if ! has_filter; then
    tc_in "$netns" qdisc add dev "$dev" root handle "$ROOT" netem "${WORDS[@]}"
    return
  fi
  # everything goes to band 1, untouched, except for what a filter sends to band 2
  tc_in "$netns" qdisc add dev "$dev" root handle "$ROOT" prio bands 2 priomap 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
  tc_in "$netns" qdisc add dev "$dev" parent "${ROOT}2" handle "$INNER" netem "${WORDS[@]}"
  add_filters "$netns" "$dev"
}

# change_egress NETNS DEV: other conditions in the same queue; packets that wait in it keep their place.
change_egress() {
  if has_filter; then
    tc_in "$1" qdisc change dev "$2" parent "${ROOT}2" handle "$INNER" netem "${WORDS[@]}"
  else
    tc_in "$1" qdisc change dev "$2" root handle "$ROOT" netem "${WORDS[@]}"
  fi
}

# add_filters NETNS DEV: what --port, --address and --share select goes to band 2; IPv4 and IPv6, TCP and UDP, either way.
add_filters() {
  local family protocol number port_side address_side address_sides=any
  [[ ! ${OPT_ADDRESS:-} ]] || address_sides="dst_ip src_ip"
  FILTER_PREF=0
  if [[ ! ${OPT_PORTS:-}${OPT_ADDRESS:-} ]]; then
    add_filter "$1" "$2" all matchall
    return
  fi
  for family in ip ipv6; do
    [[ ! ${OPT_ADDRESS:-} || $OPT_ADDRESS_FAMILY == "$family" ]] || continue
    for address_side in $address_sides; do
      if [[ ! ${OPT_PORTS:-} ]]; then
        add_filter "$1" "$2" "$family" flower "$address_side" "$OPT_ADDRESS"
        continue
      fi
      for protocol in tcp udp; do
        for number in $OPT_PORTS; do
          for port_side in dst_port src_port; do
            if [[ $address_side == any ]]; then
              add_filter "$1" "$2" "$family" flower ip_proto "$protocol" "$port_side" "$number"
            else
              add_filter "$1" "$2" "$family" flower ip_proto "$protocol" "$address_side" "$OPT_ADDRESS" "$port_side" "$number"
            fi
          done
        done
      done
    done
  done
}

# add_filter NETNS DEV FAMILY MATCH…: one match; with --share only that part of what it matches.
add_filter() {
  local netns=$1 dev=$2 family=$3 n
  shift 3
  local -a add=(filter add dev "$dev" parent "$ROOT" protocol "$family")
  share_steps "${OPT_SHARE:-100%}"
  for n in $REPLY; do
    FILTER_PREF=$((FILTER_PREF + 1))
    if ((n == 1)); then
      tc_in "$netns" "${add[@]}" pref "$FILTER_PREF" "$@" classid "${ROOT}2"
    else
      tc_in "$netns" "${add[@]}" pref "$FILTER_PREF" "$@" classid "${ROOT}2" action gact continue random netrand ok "$n"
    fi
  done
}

# share_steps SHARE: tc's random action only knows "one in N", so a share is N after N, each of what the ones before left over:
# 30 % is one in 4, then one in 15 of the rest.  The list is in REPLY; it is exact to a tenth of a per cent.
share_steps() {
  local left=1000000 wanted n steps=''
  share_ppm "$1"
  wanted=$REPLY
  while ((wanted > 500)); do
    n=$(((left + wanted - 1) / wanted))
    ((n <= 10000)) || break
    steps+=" $n"
    wanted=$((wanted - left / n)) left=$((left - left / n))
  done
  REPLY=${steps:- 10000}
}

# device_apply NETNS DEV: what SHAPE says, on both sides that it names.  Our own queues are replaced, foreign ones refused.
device_apply() {
  local netns=$1 dev=$2 side mirror
  if [[ " $TIMELINE_SIDES " == *" out "* ]]; then refuse_foreign root_owner "$netns" "$dev" root; fi
  if [[ " $TIMELINE_SIDES " == *" in "* ]]; then refuse_foreign ingress_owner "$netns" "$dev" ingress; fi
  device_clear "$netns" "$dev"
  for side in $TIMELINE_SIDES; do
    netem_words "$side"
    if [[ $side == out ]]; then
      shape_egress "$netns" "$dev"
    else
      mirror_name "$netns" "$dev"
      mirror=$REPLY
      ip_in "$netns" link add "$mirror" type ifb
      ip_in "$netns" link set dev "$mirror" up
      shape_egress "$netns" "$mirror"
      tc_in "$netns" qdisc add dev "$dev" handle ffff: ingress
      tc_in "$netns" filter add dev "$dev" parent ffff: protocol all pref "$PREFERENCE" matchall action mirred egress redirect dev "$mirror"
    fi
  done
}

# refuse_foreign QUESTION NETNS DEV WHERE
refuse_foreign() {
  "$1" "$2" "$3"
  [[ $REPLY == none || $REPLY == ours ]] ||
    die "$STATUS_FOREIGN" "$3 already has a $4 qdisc that is not ours ($REPLY), and it stays: remove it yourself (tc ${2:+-n $2 }qdisc del dev $3 $4) or choose another interface"
}

# device_clear NETNS DEV: takes away what is ours; CLEARED says whether anything was.
device_clear() {
  local netns=$1 dev=$2
  CLEARED=''
  root_owner "$netns" "$dev"
  if [[ $REPLY == ours ]]; then
    tc_in "$netns" qdisc del dev "$dev" root
    CLEARED=1
  fi
  ingress_owner "$netns" "$dev"
  if [[ $REPLY == ours ]]; then
    tc_in "$netns" qdisc del dev "$dev" ingress
    CLEARED=1
  fi
  if has_mirror "$netns" "$dev"; then ip_in "$netns" link del "$REPLY"; fi
}
