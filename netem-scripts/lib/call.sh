# shellcheck shell=bash
# Every change goes through here: --dry-run prints it, a failure shows the tool's own words and what they mean.

# call COMMAND…: runs it, or prints it.  On failure ends the program with the status that the words call for.
call() {
  local words
  if [[ ${OPT_DRY_RUN:-} ]]; then
    print_call "$@"
    return
  fi
  [[ ! ${OPT_VERBOSE:-} ]] || print_call "$@" >&2
  words=$("$@" 2>&1) || call_failed "$words" "$@"
}

# call_with TEXT COMMAND…: the same with TEXT on standard input.
call_with() {
  local text=$1 words
  shift
  if [[ ${OPT_DRY_RUN:-} ]]; then
    printf '%s <<EOF\n%s\nEOF\n' "$(print_call "$@")" "$text"
    return
  fi
  words=$("$@" 2>&1 <<<"$text") || call_failed "$words" "$@"
}

print_call() {
  local line
  printf -v line ' %q' "$@"
  printf '%s\n' "${line:1}"
}

call_failed() {
  local words=$1 status=$STATUS_FAILED line
  shift
  say "this failed: $(print_call "$@")"
  while IFS= read -r line; do say "  it said: ${line//[[:cntrl:]]/ }"; done <<<"${words:-nothing}"
  if explain "$words" "$@"; then
    status=$EXPLAINED
    say "$REPLY"
  fi
  exit "$status"
}

# explain WORDS COMMAND…: what is missing, in REPLY, and the status for it in EXPLAINED.
explain() {
  local words=$1 feature=''
  shift
  case $words in
    *"qdisc kind is unknown"*) feature=qdisc ;;
    *"Failed to load TC action module"* | *"Failed to load TC classifier"* | *"No such file or directory"*) [[ $1 == tc ]] || return 1; feature=tc ;;
    *"Unknown device type"* | *"Operation not supported"*) feature='link' ;;
    *"Operation not permitted"* | *"Permission denied"*) EXPLAINED=$STATUS_NO_ROOT REPLY="this needs root with CAP_NET_ADMIN; a container needs --cap-add NET_ADMIN SYS_ADMIN"; return ;;
    *"Exclusivity flag on"* | *"File exists"*) EXPLAINED=$STATUS_FOREIGN REPLY="somebody else has set this up in the meantime: netem show tells what is there"; return ;;
    *"Cannot find device"*) EXPLAINED=$STATUS_FAILED REPLY="that interface does not exist there: ip link shows them"; return ;;
    *) return 1 ;;
  esac
  EXPLAINED=$STATUS_NO_KERNEL
  case "$feature $*" in
    *netem*limit*) kernel_lacks sch_netem NET_SCH_NETEM ;;
    *\ prio\ *) kernel_lacks sch_prio NET_SCH_PRIO ;;
    *\ ingress* | *clsact*) kernel_lacks sch_ingress NET_SCH_INGRESS ;;
    *mirred*) kernel_lacks "act_mirred or cls_matchall" "NET_ACT_MIRRED, NET_CLS_MATCHALL" ;;
    *pedit*) kernel_lacks "act_pedit or act_csum" "NET_ACT_PEDIT, NET_ACT_CSUM" ;;
    *flower*) kernel_lacks "cls_flower or act_gact" "NET_CLS_FLOWER, NET_ACT_GACT" ;;
    *matchall*) kernel_lacks "cls_matchall or act_gact" "NET_CLS_MATCHALL, NET_ACT_GACT" ;;
    *type\ veth*) kernel_lacks veth VETH ;;
    *type\ ifb*) kernel_lacks ifb IFB ;;
    *type\ bridge*) kernel_lacks bridge BRIDGE ;;
    *nft*) kernel_lacks "nf_tables for the family bridge" NF_TABLES_BRIDGE ;;
    *) return 1 ;;
  esac
}

kernel_lacks() {
  REPLY="the kernel has no $1 (CONFIG_${2//, /, CONFIG_}): it is in linux-modules-extra-$(uname -r) (Ubuntu) or kernel-modules-extra (Fedora); without such a package, netem-vm.sh runs the command in a guest that has it"
}

# in_netns NETNS COMMAND…: inside a namespace; an empty name is the host's.
in_netns() {
  local netns=$1
  shift
  if [[ $netns ]]; then call ip netns exec "$netns" "$@"; else call "$@"; fi
}

# tc_in / ip_in NETNS ARGS…
tc_in() {
  local netns=$1
  shift
  if [[ $netns ]]; then call tc -n "$netns" "$@"; else call tc "$@"; fi
}
ip_in() {
  local netns=$1
  shift
  if [[ $netns ]]; then call ip -n "$netns" "$@"; else call ip "$@"; fi
}

# ask_tc NETNS ARGS…: reads, in --dry-run too; silent where the namespace does not exist.
ask_tc() {
  local netns=$1
  shift
  if [[ $netns ]]; then tc -n "$netns" "$@" 2>/dev/null; else tc "$@" 2>/dev/null; fi
}
