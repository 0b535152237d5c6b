//! What holds for a device's credentials whatever the gateway answers, in whatever order, and whether writing succeeds.

use super::account::{Account, Advice, Attempt, Holdings, Precedence, Receipt, RoleToken, Shown};
use super::scopes::Role;
use super::wire::{DeviceTokenGrant, ErrorDetails, GrantedAuth, HelloOk, ResponseError};
use crate::secret::Secret;
use proptest::prelude::*;
use std::collections::HashSet;
use std::time::Duration;

fn refusal(code: &str) -> ResponseError {
    ResponseError {
        code: "INVALID_REQUEST".to_owned(),
        details: Some(ErrorDetails {
            code: Some(code.to_owned()),
            ..ErrorDetails::default()
        }),
        ..ResponseError::default()
    }
}

fn hello(role: Role, token: Option<&str>, extra: Option<(Role, &str)>) -> HelloOk {
    HelloOk {
        auth: GrantedAuth {
            role: role.name().to_owned(),
            device_token: token.map(str::to_owned),
            device_tokens: extra
                .map(|(role, token)| DeviceTokenGrant {
                    device_token: token.to_owned(),
                    role: role.name().to_owned(),
                    ..DeviceTokenGrant::default()
                })
                .into_iter()
                .collect(),
            ..GrantedAuth::default()
        },
        ..HelloOk::default()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what a slot holds")]
fn held(token: &str) -> Option<RoleToken> {
    Some(RoleToken {
        token: Secret::new(token),
        scopes: Vec::new(),
        issued_at_ms: None,
    })
}

fn account(precedence: Precedence) -> Account {
    Account::new(Holdings {
        token: Some(Secret::new("shared")),
        bootstrap_token: Some(Secret::new("boot")),
        role_tokens: [held("op"), held("node")],
        precedence,
        ..Holdings::default()
    })
}

fn shown(account: &Account, role: Role) -> Shown {
    account.begin(role).unwrap().shown
}

#[test]
fn the_shared_secret_comes_first_as_with_the_official_client_or_last_but_one_if_wanted() {
    for (precedence, order) in [
        (
            Precedence::Shared,
            [Shown::Shared, Shown::DeviceToken, Shown::Bootstrap],
        ),
        (
            Precedence::Device,
            [Shown::DeviceToken, Shown::Shared, Shown::Bootstrap],
        ),
    ] {
        let account = account(precedence);
        for (turn, expected) in order.into_iter().enumerate() {
            let attempt = account.begin(Role::Operator).unwrap();
            assert_eq!(attempt.shown, expected);
            let code = match attempt.shown {
                Shown::DeviceToken => "AUTH_DEVICE_TOKEN_MISMATCH",
                Shown::Bootstrap => "AUTH_BOOTSTRAP_TOKEN_INVALID",
                _ => "AUTH_TOKEN_MISMATCH",
            };
            let advice = if turn == 2 { Advice::Stop } else { Advice::Again };
            assert_eq!(account.refused(&attempt, &refusal(code)), advice);
        }
        assert_eq!(account.begin(Role::Operator), None);
        // The other role's token was touched by none of it.
        assert_eq!(shown(&account, Role::Node), Shown::DeviceToken);
    }
}

#[test]
fn a_stale_device_token_falls_back_to_the_shared_secret_which_brings_a_new_one() {
    let account = account(Precedence::Device);
    let stale = account.begin(Role::Operator).unwrap();
    assert_eq!(stale.device_token, Some(Secret::new("op")));
    let advice = account.refused(&stale, &refusal("AUTH_DEVICE_TOKEN_MISMATCH"));
    assert_eq!(advice, Advice::Again);
    let again = account.begin(Role::Operator).unwrap();
    assert_eq!(again.token, Some(Secret::new("shared")));
    assert!(account.accepted(&again, &hello(Role::Operator, Some("op-2"), None)));
    assert_eq!(
        account.begin(Role::Operator).unwrap().device_token,
        Some(Secret::new("op-2"))
    );
    assert_eq!(account.role_token(Role::Node), held("node"));
}

#[test]
fn a_setup_code_is_kept_until_the_tokens_of_all_its_roles_are_written_down() {
    let account = Account::new(Holdings {
        bootstrap_token: Some(Secret::new("boot")),
        ..Holdings::default()
    });
    let attempt = account.begin(Role::Node).unwrap();
    assert_eq!(attempt.bootstrap_token, Some(Secret::new("boot")));
    account.accepted(
        &attempt,
        &hello(Role::Node, Some("node"), Some((Role::Operator, "op"))),
    );
    let receipt = account.to_keep().unwrap();
    assert_eq!(receipt.changes.len(), 2);
    account.kept(&receipt, false);
    assert_eq!(
        account.to_keep(),
        Some(receipt.clone()),
        "a write that failed is tried again"
    );
    let partly = Receipt {
        changes: receipt.changes[..1].to_vec(),
    };
    account.kept(&partly, true);
    let lost = account.begin(Role::Node).unwrap();
    account.refused(&lost, &refusal("AUTH_DEVICE_TOKEN_MISMATCH"));
    assert_eq!(
        shown(&account, Role::Node),
        Shown::Bootstrap,
        "half written is not written"
    );
}

#[test]
fn a_shared_token_replaces_another_only_when_it_has_let_somebody_in() {
    let account = account(Precedence::Shared);
    assert!(!account.propose(&Secret::new("shared")));
    assert!(account.propose(&Secret::new("wrong")));
    let attempt = account.begin(Role::Operator).unwrap();
    assert_eq!(
        (attempt.shown, attempt.token.clone()),
        (Shown::Replacement, Some(Secret::new("wrong")))
    );
    assert_eq!(
        account.refused(&attempt, &refusal("AUTH_TOKEN_MISMATCH")),
        Advice::Again
    );
    assert!(!account.propose(&Secret::new("wrong")), "refused once is enough");
    assert_eq!(
        account.begin(Role::Operator).unwrap().token,
        Some(Secret::new("shared"))
    );
    account.propose(&Secret::new("next"));
    let attempt = account.begin(Role::Operator).unwrap();
    account.accepted(&attempt, &hello(Role::Operator, None, None));
    let attempt = account.begin(Role::Operator).unwrap();
    assert_eq!(
        (attempt.shown, attempt.token),
        (Shown::Shared, Some(Secret::new("next")))
    );
}

#[test]
fn a_proposal_made_while_another_is_tried_has_proved_nothing_by_its_success() {
    let account = account(Precedence::Shared);
    account.propose(&Secret::new("third"));
    let attempt = account.begin(Role::Operator).unwrap();
    account.propose(&Secret::new("fourth"));
    account.accepted(&attempt, &hello(Role::Operator, None, None));
    let attempt = account.begin(Role::Operator).unwrap();
    assert_eq!(attempt.token, Some(Secret::new("fourth")));
    account.refused(&attempt, &refusal("AUTH_TOKEN_MISMATCH"));
    let attempt = account.begin(Role::Operator).unwrap();
    assert_eq!(attempt.token, Some(Secret::new("third")));
    assert!(!account.has_lost_the_secret());
    account.refused(&attempt, &refusal("AUTH_TOKEN_MISMATCH"));
    assert!(account.has_lost_the_secret());
}

#[test]
fn waiting_for_approval_costs_no_credential() {
    let account = account(Precedence::Shared);
    let attempt = account.begin(Role::Operator).unwrap();
    let mut error = refusal("PAIRING_REQUIRED");
    error.retry_after_ms = Some(700);
    error.details.as_mut().unwrap().request_id = Some("r1".to_owned());
    let advice = Advice::AwaitApproval {
        request_id: Some("r1".to_owned()),
        retry_after: Some(Duration::from_millis(700)),
    };
    assert_eq!(account.refused(&attempt, &error), advice);
    assert_eq!(account.take_advice(), Some(advice));
    assert_eq!(account.take_advice(), None);
    assert_eq!(shown(&account, Role::Operator), Shown::Shared);
}

#[test]
fn hints_lead_to_the_device_token_once() {
    let account = account(Precedence::Shared);
    let mut error = refusal("AUTH_SOMETHING_NEW");
    error.details.as_mut().unwrap().can_retry_with_device_token = Some(true);
    let attempt = account.begin(Role::Operator).unwrap();
    assert_eq!(account.refused(&attempt, &error), Advice::Again);
    let attempt = account.begin(Role::Operator).unwrap();
    assert_eq!(attempt.shown, Shown::DeviceToken);
    assert_eq!(account.refused(&attempt, &error), Advice::Stop);
}

#[test]
fn authority_withdrawn_from_a_live_session_costs_what_it_was_withdrawn_from() {
    let account = account(Precedence::Shared);
    let attempt = account.begin(Role::Operator).unwrap();
    account.accepted(&attempt, &hello(Role::Operator, Some("op"), None));
    assert_eq!(account.withdrawn(&attempt, "device removed"), Advice::Again);
    assert_eq!(account.role_token(Role::Operator), None);
    assert_eq!(account.role_token(Role::Node), held("node"));
    let attempt = account.begin(Role::Operator).unwrap();
    assert_eq!(account.withdrawn(&attempt, "gateway auth changed"), Advice::Again);
    assert_eq!(shown(&account, Role::Operator), Shown::Bootstrap);
}

#[derive(Clone, Debug)]
enum Happens {
    Begin(bool),
    /// The answer to the n-th last attempt.
    Accepted(usize, bool, bool),
    Refused(usize, usize),
    Withdrawn(usize, bool),
    Propose(u8),
    /// Writing what is to be kept, perhaps an older version of it.
    Kept(bool, bool),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => any::<bool>().prop_map(Happens::Begin),
        2 => (0usize..3, any::<bool>(), any::<bool>()).prop_map(|(n, t, e)| Happens::Accepted(n, t, e)),
        3 => (0usize..3, 0usize..7).prop_map(|(n, code)| Happens::Refused(n, code)),
        1 => (0usize..3, any::<bool>()).prop_map(|(n, device)| Happens::Withdrawn(n, device)),
        1 => (0u8..4).prop_map(Happens::Propose),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(ok, old)| Happens::Kept(ok, old)),
    ]
}

const CODES: [&str; 7] = [
    "AUTH_TOKEN_MISMATCH",
    "AUTH_DEVICE_TOKEN_MISMATCH",
    "AUTH_BOOTSTRAP_TOKEN_INVALID",
    "AUTH_SCOPE_MISMATCH",
    "PAIRING_REQUIRED",
    "AUTH_RATE_LIMITED",
    "DEVICE_AUTH_SIGNATURE_INVALID",
];

fn secret_of(attempt: &Attempt) -> Option<Secret> {
    [&attempt.token, &attempt.device_token, &attempt.bootstrap_token]
        .into_iter()
        .flatten()
        .next()
        .cloned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    /// No sequence of answers, faults and writes shows a secret that is known dead, drops one that nobody refused, or lets
    /// an old connection change anything.
    #[test]
    fn dead_secrets_stay_dead_live_ones_stay_and_old_connections_are_not_heard(
        events in prop::collection::vec(happens(), 1..80), device_first: bool,
    ) {
        let account = account(if device_first { Precedence::Device } else { Precedence::Shared });
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut dead: HashSet<Secret> = HashSet::new();
        let mut written: [Option<RoleToken>; 2] = [held("op"), held("node")];
        let mut redeemed: Option<Role> = None;
        let mut had_boot = true;
        let mut is_answered = false;
        let mut old_receipt: Option<Receipt> = None;
        let mut fresh = 0;
        for event in events {
            let before = format!("{account:?}");
            let tokens_before = Role::ALL.map(|role| account.role_token(role));
            let newest = attempts.len().checked_sub(1);
            let at = |back: usize| newest.and_then(|last| last.checked_sub(back));
            match event {
                Happens::Begin(node) => {
                    let role = if node { Role::Node } else { Role::Operator };
                    if let Some(attempt) = account.begin(role) {
                        if let Some(secret) = secret_of(&attempt) {
                            prop_assert!(!dead.contains(&secret), "{:?} shows a dead secret", attempt.shown);
                        }
                        prop_assert!(attempts.last().is_none_or(|last| last.generation < attempt.generation));
                        attempts.push(attempt);
                        is_answered = false;
                    } else {
                        prop_assert!(dead.contains(&Secret::new("shared")), "dropped without a reason");
                    }
                }
                Happens::Accepted(back, with_token, with_extra) => if let Some(i) = at(back) {
                    let attempt = &attempts[i];
                    fresh += 1;
                    let token = format!("{}-{fresh}", attempt.role.name());
                    let other = Role::ALL[1 - attempt.role as usize];
                    let extra = format!("{}-{fresh}", other.name());
                    let hello = hello(
                        attempt.role,
                        with_token.then_some(token.as_str()),
                        with_extra.then_some((other, extra.as_str())),
                    );
                    let heard = account.accepted(attempt, &hello);
                    prop_assert_eq!(heard, back == 0 && !is_answered);
                    is_answered |= heard;
                    if heard && attempt.shown == Shown::Bootstrap {
                        redeemed = Some(attempt.role);
                    }
                    if heard && attempt.shown == Shown::Replacement {
                        // Replaced by one that was let in: nobody may want it back.
                        dead.insert(Secret::new("shared"));
                    }
                    if heard && attempt.shown != Shown::Bootstrap {
                        prop_assert_eq!(account.role_token(other), tokens_before[other as usize].clone());
                    }
                },
                Happens::Refused(back, code) => if let Some(i) = at(back) {
                    let attempt = &attempts[i];
                    let advice = account.refused(attempt, &refusal(CODES[code]));
                    let heard = back == 0 && !is_answered;
                    prop_assert_eq!(advice != Advice::Stale, heard);
                    is_answered |= heard;
                    if heard && code < 3 {
                        dead.extend(secret_of(attempt));
                    }
                    if heard {
                        let other = Role::ALL[1 - attempt.role as usize];
                        prop_assert_eq!(account.role_token(other), tokens_before[other as usize].clone());
                    }
                    if code >= 3 && heard {
                        prop_assert_eq!(Role::ALL.map(|role| account.role_token(role)), tokens_before);
                    }
                },
                Happens::Withdrawn(back, device) => if let Some(i) = at(back) {
                    let attempt = &attempts[i];
                    let reason = if device { "device removed" } else { "gateway auth changed" };
                    let advice = account.withdrawn(attempt, reason);
                    prop_assert_eq!(advice == Advice::Stale, back != 0);
                    is_answered |= back == 0;
                    if back == 0 && device {
                        dead.extend(tokens_before[attempt.role as usize].clone().map(|held| held.token));
                    } else if back == 0 && matches!(attempt.shown, Shown::Shared | Shown::Replacement) {
                        dead.extend(attempt.token.clone());
                    }
                },
                Happens::Propose(n) => {
                    account.propose(&Secret::new(format!("shared-{n}")));
                }
                Happens::Kept(ok, old) => {
                    let receipt = if old { old_receipt.take() } else { account.to_keep() };
                    if let Some(receipt) = receipt {
                        if ok {
                            for (role, token) in &receipt.changes {
                                written[*role as usize].clone_from(token);
                            }
                        }
                        account.kept(&receipt, ok);
                        old_receipt = Some(receipt);
                    }
                    prop_assert_eq!(Role::ALL.map(|role| account.role_token(role)), tokens_before);
                }
            }
            // Neither an older attempt nor one that has had its answer is heard.
            let stale = match event {
                Happens::Accepted(back, ..) | Happens::Refused(back, _) | Happens::Withdrawn(back, _) => back != 0,
                _ => false,
            };
            if stale {
                prop_assert_eq!(format!("{account:?}"), before, "an old connection changed something");
            }
            for role in Role::ALL {
                if let Some(token) = account.role_token(role) {
                    prop_assert!(!dead.contains(&token.token), "holds a dead token");
                }
            }
            // The setup code's token is gone only when it was refused, or when what it brought is on disk.
            let has_boot = format!("{account:?}").contains(&format!("bootstrap: Some({})", Secret::new("boot")));
            if had_boot && !has_boot && !dead.contains(&Secret::new("boot")) {
                let role = redeemed.expect("dropped without being redeemed");
                prop_assert!(written[role as usize].is_some(), "dropped before it was written");
            }
            had_boot = has_boot;
        }
    }
}
