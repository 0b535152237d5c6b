# shellcheck shell=bash
# netem doctor: which tools, rights and kernel features are there, what is missing by name, and what brings it.

doctor_command() {
  local status=0 kernel=0 probes='' tool
  [[ $# == 0 ]] || usage_error "doctor takes no words"
  for tool in ip tc ethtool flock nft ss ping; do
    if command -v "$tool" >/dev/null; then
      found "$tool" "$(tool_version "$tool")"
    else
      missing "$tool" "apt-get install $(package_of "$tool")"
      case $tool in ip | tc | ethtool | flock) status=$STATUS_NO_TOOL ;; esac
      # without these two the kernel cannot be asked
      case $tool in ip | tc) probes=no ;; esac
    fi
  done
  if [[ $(id -u) != 0 ]]; then
    missing root "sudo; without it only list, doctor and --dry-run work"
    exit $((status ? status : STATUS_NO_ROOT))
  fi
  found root ""
  [[ $probes ]] || doctor_kernel || kernel=$?
  doctor_leftovers
  exit $((status ? status : kernel))
}

found() { printf 'ok       %-22s %s\n' "$1" "$2"; }
missing() { printf 'MISSING  %-22s %s\n' "$1" "$2"; }

tool_version() {
  case $1 in
    ip | tc) "$1" -V 2>/dev/null | grep -oE 'iproute2-[0-9.a-z-]+' || true ;;
    nft) nft --version 2>/dev/null | head -n1 ;;
  esac
}

# doctor_kernel: tries every feature in a throw-away namespace.
doctor_kernel() {
  local name option need result status=0
  if ! unshare -n true 2>/dev/null; then
    missing "network namespaces" "CONFIG_NET_NS, and CAP_SYS_ADMIN (containers: --cap-add SYS_ADMIN)"
    return "$STATUS_NO_KERNEL"
  fi
  found "network namespaces" ""
  while IFS='|' read -r result name option need; do
    if [[ $result == ok ]]; then
      found "$name" "for $need"
    else
      missing "$name" "CONFIG_$option, for $need"
      case $name in sch_netem | veth) status=$STATUS_NO_KERNEL ;; esac
    fi
  done < <(unshare -n bash -c "$DOCTOR_PROBES" 2>/dev/null)
  if ((status)); then
    printf 'The modules come with linux-modules-extra-%s (Ubuntu) or kernel-modules-extra (Fedora).\n' "$(uname -r)"
    printf 'Without such a package: %s/netem-vm.sh -- COMMAND runs the command in a guest whose kernel has them.\n' "$NETEM_HOME"
  fi
  return "$status"
}

# shellcheck disable=SC2016  # the text is a program for the inner bash
readonly DOCTOR_PROBES='
probe() {
  local name=$1 option=$2 need=$3
  shift 3
  if "$@" >/dev/null 2>&1; then printf "ok"; else printf "missing"; fi
  printf "|%s|%s|%s\n" "$name" "$option" "$need"
}
ip link set lo up
probe veth VETH "run" ip link add nd0 type veth peer name nd1
probe sch_netem NET_SCH_NETEM "everything" tc qdisc add dev lo root netem delay 1ms
tc qdisc del dev lo root
probe sch_prio NET_SCH_PRIO "--port, --address, --share" tc qdisc add dev lo root handle 1: prio
probe cls_flower NET_CLS_FLOWER "--port, --address" tc filter add dev lo parent 1: protocol ip pref 1 flower ip_proto tcp dst_port 1 classid 1:2
probe act_gact NET_ACT_GACT "--share, resets without nft" tc filter add dev lo parent 1: protocol ip pref 2 flower ip_proto tcp classid 1:2 action gact continue random netrand ok 2
probe sch_ingress NET_SCH_INGRESS "apply --direction in" tc qdisc add dev lo clsact
probe ifb IFB "apply --direction in" ip link add nd2 type ifb
probe act_mirred NET_ACT_MIRRED "apply --direction in" tc filter add dev lo ingress protocol all pref 1 matchall action mirred egress redirect dev nd2
probe act_pedit NET_ACT_PEDIT "resets without nft" tc filter add dev lo ingress protocol ip pref 2 flower ip_proto tcp action pedit ex munge ip ttl set 61 pipe action csum ip4h and tcp
probe bridge BRIDGE "middlebox: rst, idle" ip link add nd3 type bridge
probe nft-bridge NF_TABLES_BRIDGE "idle" nft add table bridge nd
nft add chain bridge nd c "{ type filter hook prerouting priority 0; }"
probe nft-reject-bridge NFT_BRIDGE_REJECT "rst by nft (tc pedit is used without)" nft add rule bridge nd c meta l4proto tcp reject with tcp reset
'

doctor_leftovers() {
  local name any=''
  for name in $(state_names); do
    state_read "$name" || continue
    any=1
    case ${STATE[kind]} in
      run)
        if is_leftover; then
          printf 'leftover %s: process %s is gone; the next run, apply or clear removes %s\n' "$name" "${STATE[pid]}" "${STATE[namespaces]}"
        else
          printf 'running  %s: profile %s in %s\n' "$name" "${STATE[profile]}" "${STATE[namespaces]}"
        fi
        ;;
      apply)
        if is_leftover; then
          printf 'leftover %s: process %s is gone; the next run, apply or clear removes it\n' "$name" "${STATE[pid]}"
        else
          printf 'applied  %s: profile %s on %s %s\n' "$name" "${STATE[profile]}" "${STATE[netns]:-host}" "${STATE[dev]}"
        fi
        ;;
    esac
  done
  [[ $any ]] || printf 'Nothing is shaped, nothing is left over.\n'
}
