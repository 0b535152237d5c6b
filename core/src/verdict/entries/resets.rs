//! The classes of RST, explained.

use crate::verdict::{ResetClass, ResetEntry};

/// In the order of [`ResetClass::ALL`].
pub(in crate::verdict) static RESETS: [ResetEntry; ResetClass::ALL.len()] = [
    ResetEntry {
        class: ResetClass::Stray,
        meaning: "an RST of no connection that was seen: leftovers of one that ended before the capture, or a scan",
        test: "no connection with these addresses and ports is known",
        fix: "ignore it, unless there are many: then start the capture earlier or look for a port scan",
    },
    ResetEntry {
        class: ResetClass::Refused,
        meaning: "the answer to a SYN: nothing listens there (clw-conn-refused)",
        test: "only SYNs before it, its ACK is ISN + 1, and no SYN-ACK follows",
        fix: "start what should listen, or correct address and port; a firewall that rejects looks the same",
    },
    ResetEntry {
        class: ResetClass::Injected,
        meaning: "sent by neither endpoint: a NAT, firewall, load balancer or filter (clw-injected-reset)",
        test: "its alleged sender goes on sending, or TTL is off by 2 or more, or several RSTs with stepped SEQs; or two \
               weaker signs (IP ID, timestamps, no ACK flag, SEQ not at SND.NXT)",
        fix: "find the middlebox and its idle timer; heartbeat below it; prove it with a capture at the alleged sender",
    },
    ResetEntry {
        class: ResetClass::Keepalive,
        meaning: "its sender's kernel gave up on a peer that no longer answered",
        test: "two or more unanswered keepalive probes or retransmissions of that side just before it",
        fix: "look for what cut the path or stopped the peer; the RST itself is only the consequence",
    },
    ResetEntry {
        class: ResetClass::AfterClose,
        meaning: "noise: data came for a socket that was closed already, e.g. a close frame after the peer's FIN",
        test: "its sender had sent FIN or RST, and data arrived since",
        fix: "nothing; the ending is what came before it (ClawChat's hello-fail always looks so)",
    },
    ResetEntry {
        class: ResetClass::HalfOpen,
        meaning: "its sender did not know the connection any more: the host or process was restarted or killed",
        test: "no ACK flag, SEQ equals the ACK of a segment within one round trip before, no FIN by its sender",
        fix: "find out why that host lost its state: crash, reboot, failover, address taken over",
    },
    ResetEntry {
        class: ResetClass::Abort,
        meaning: "an endpoint cut the connection on purpose, or closed it with data unread",
        test: "RST+ACK exactly at SND.NXT, with TTL, IP ID and timestamps like the rest of that side",
        fix: "look at that endpoint's application: SO_LINGER 0, a crash with unread data, terminate()",
    },
];
