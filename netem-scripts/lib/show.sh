# shellcheck shell=bash
# netem show: what holds now, in tc's own words and numbers.

show_command() {
  local name netns dev separator=''
  [[ $# == 0 ]] || usage_error "show takes no words, only --netns, --dev and --json"
  need_tool ip tc
  [[ ! ${OPT_JSON:-} ]] || printf '{"schema":"clw.netem/1","interfaces":['
  if [[ ${OPT_NETNS:-}${OPT_DEV:-} ]]; then
    [[ ! ${OPT_NETNS:-} ]] || netns_exists "$OPT_NETNS" || die "$STATUS_FAILED" "there is no namespace $OPT_NETNS: ip netns list shows them"
    show_interface "${OPT_NETNS:-}" "${OPT_DEV:-eth0}" ''
  else
    [[ $(id -u) == 0 ]] || need_root
    for name in $(state_names); do
      state_read "$name" || continue
      case ${STATE[kind]} in
        run)
          for netns in ${STATE[namespaces]}; do
            [[ $netns != *-box ]] || continue
            show_interface "$netns" eth0 "${STATE[profile]}"
            separator=,
          done
          ;;
        apply)
          show_interface "${STATE[netns]}" "${STATE[dev]}" "${STATE[profile]}" applied
          separator=,
          ;;
      esac
    done
    [[ $separator || ${OPT_JSON:-} ]] || printf 'netem holds nothing.\n'
  fi
  [[ ! ${OPT_JSON:-} ]] || printf ']}\n'
}

# show_interface NETNS DEV PROFILE [applied]: the interface and, where ingress is ours, its ifb.  What was applied and is not
# there any more is said to be gone.
show_interface() {
  local owner ingress mirror='' profile=$3 applied=${4:-}
  root_owner "$1" "$2"
  owner=$REPLY
  ingress_owner "$1" "$2"
  ingress=$REPLY
  if [[ $ingress == ours ]]; then
    mirror_name "$1" "$2"
    mirror=$REPLY
  fi
  [[ ! $applied || $owner == ours || $ingress == ours ]] || applied=gone
  if [[ ${OPT_JSON:-} ]]; then
    [[ $applied != gone ]] || profile=''
    printf '%s{"netns":%s,"dev":%s,"profile":%s,"root":%s,"ingress":%s,"out":%s,"in":%s}' "$separator" "$(json_text "$1")" "$(json_text "$2")" \
      "$(json_text "$profile")" "$(json_text "$owner")" "$(json_text "$ingress")" "$(tc_json "$1" "$2")" "$(tc_json "$1" "$mirror")"
    return
  fi
  if [[ $applied == gone ]]; then
    printf '%s %s: %s was applied and is gone: somebody else took it away (clear forgets it, apply sets it up again)\n' "${1:-host}" "$2" "$profile"
    return
  fi
  printf '%s %s: root %s, ingress %s%s\n' "${1:-host}" "$2" "$owner" "$ingress" "${profile:+, profile $profile}"
  ask_tc "$1" -s qdisc show dev "$2" || true
  [[ ! $mirror ]] || ask_tc "$1" -s qdisc show dev "$mirror"
}

tc_json() {
  local text=''
  [[ ! $2 ]] || text=$(ask_tc "$1" -j -s qdisc show dev "$2") || text=''
  printf '%s' "${text:-[]}"
}

# json_text TEXT: a JSON string, or null for nothing.
json_text() {
  local text=$1
  [[ $text ]] || { printf null; return; }
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  printf '"%s"' "${text//[[:cntrl:]]/ }"
}
