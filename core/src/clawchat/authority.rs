//! Who decides which tokens are good.

use super::token::{Claims, RefreshToken, Tokens, derived_tokens, user_name, user_number};
use super::{RefreshAnswer, RefreshRequest};
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Users whose rotations are remembered, and refresh tokens of strangers; past it the reuse of a token goes unnoticed.
const REMEMBERED: usize = 1 << 20;
/// How long an access token lives (protocol page).
pub const LIFE: Duration = Duration::from_secs(24 * 3600);

/// What the refresh endpoint does wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefreshFault {
    /// Takes any refresh token, as often as it comes.
    TakeAny,
    /// Answers this code without rotating anything.
    Code(i64),
    /// Answers this HTTP status.
    Status(u16),
    /// Rotates, and refuses the new token at the next connect.
    RotateThenReject,
    /// Rotates, and resets the connection instead of answering: the old pair is dead and nobody has the new one.
    RotateThenLose,
}

/// Issues and checks tokens.
#[derive(Debug)]
pub struct Authority {
    /// Signs the tokens that are issued; clients that share it make their first pair themselves.
    key: Secret,
    /// Tokens that nobody here has issued are taken as well.
    open: bool,
    life: Duration,
    /// How often each user's pair was rotated, where it was.
    rotations: HashMap<u64, u32>,
    /// Strangers' refresh tokens that were redeemed, by hash.
    redeemed: HashSet<[u8; 8]>,
}

impl Authority {
    /// Takes tokens that `secret` has signed, and `secret` itself.
    pub fn new(secret: Secret) -> Self {
        Self {
            key: secret,
            open: false,
            life: LIFE,
            rotations: HashMap::new(),
            redeemed: HashSet::new(),
        }
    }

    /// Takes any token that has not run out.
    pub fn open(key: Secret) -> Self {
        Self {
            open: true,
            ..Self::new(key)
        }
    }

    /// The user of an access token presented `now_s` seconds after 1970; `None` if it is no good. `life`: tokens count as
    /// run out so long after they were made, whatever they say.
    pub fn check(&self, token: &str, now_s: u64, life: Option<Duration>) -> Option<String> {
        if let Some(claims) = Claims::verify(token, &self.key) {
            let end = life.map_or(claims.exp, |life| {
                claims.exp.min(claims.iat.saturating_add(life.as_secs()))
            });
            let is_newest = user_number(&claims.sub)
                .and_then(|user| self.rotations.get(&user))
                .is_none_or(|newest| claims.generation >= *newest);
            return (now_s < end && is_newest).then_some(claims.sub);
        }
        if token == self.key.expose() {
            return Some(user_name(stranger(token)));
        }
        let lives = Claims::read(token).is_none_or(|claims| now_s < claims.exp);
        (self.open && lives && !token.is_empty()).then(|| user_name(stranger(token)))
    }

    /// Redeems a refresh token: rotates the pair, or says why not. `life`: how long the new token lives instead of 24 h.
    pub fn redeem(
        &mut self,
        body: &[u8],
        device: Option<&str>,
        now_s: u64,
        life: Option<Duration>,
        fault: Option<RefreshFault>,
    ) -> RefreshAnswer {
        let device = device.unwrap_or_default();
        let Some(token) = RefreshRequest::read(body, Some(device)) else {
            return RefreshAnswer::Permanent { code: 400 };
        };
        match fault {
            Some(RefreshFault::Code(code @ (10003 | 400))) => return RefreshAnswer::Permanent { code },
            Some(RefreshFault::Code(_) | RefreshFault::Status(_)) => {
                return RefreshAnswer::transient("try again later (fault plan)");
            }
            Some(RefreshFault::TakeAny | RefreshFault::RotateThenReject | RefreshFault::RotateThenLose)
            | None => {}
        }
        let next = self.rotate(&token, device);
        let taken = next.or_else(|| (fault == Some(RefreshFault::TakeAny)).then(|| (stranger(&token), 0)));
        let Some((user, generation)) = taken else {
            return RefreshAnswer::Permanent { code: 10003 };
        };
        let life = match fault {
            Some(RefreshFault::RotateThenReject) => Duration::ZERO,
            _ => life.unwrap_or(self.life),
        };
        RefreshAnswer::Rotated(self.issue(user, device, generation, now_s, life))
    }

    fn issue(&self, user: u64, device: &str, generation: u32, now_s: u64, life: Duration) -> Tokens {
        derived_tokens(&self.key, user, device, generation, now_s, life)
    }

    /// Whose token it is and which rotation comes next; `None` if it was used before or never issued.
    fn rotate(&mut self, token: &str, device: &str) -> Option<(u64, u32)> {
        if let Some(sealed) = RefreshToken::open(token, &self.key, device) {
            let newest = self.rotations.get(&sealed.user).copied();
            if newest.is_some_and(|newest| sealed.generation < newest) {
                return None;
            }
            let next = sealed.generation.checked_add(1)?;
            if newest.is_some() || self.rotations.len() < REMEMBERED {
                self.rotations.insert(sealed.user, next);
            }
            return Some((sealed.user, next));
        }
        if !self.open && token != self.key.expose() {
            return None;
        }
        let user = stranger(token);
        if self.redeemed.len() < REMEMBERED && !self.redeemed.insert(user.to_be_bytes()) {
            return None;
        }
        Some((user, 0))
    }
}

/// A number for whoever holds a token that nobody here has issued.
fn stranger(token: &str) -> u64 {
    let digest = Sha256::digest(token.as_bytes());
    digest
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn authority() -> Authority {
        Authority::new(Secret::new("s3cret"))
    }

    fn first() -> Tokens {
        derived_tokens(&Secret::new("s3cret"), 7, "dev", 0, NOW, LIFE)
    }

    fn redeem(authority: &mut Authority, tokens: &Tokens) -> RefreshAnswer {
        let body = RefreshRequest::new(tokens.refresh.as_ref().unwrap()).body();
        authority.redeem(body.as_bytes(), Some("dev"), NOW, None, None)
    }

    #[test]
    fn a_rotation_kills_the_old_pair_at_once() {
        let mut authority = authority();
        let old = first();
        assert_eq!(
            authority.check(old.access.expose(), NOW, None).as_deref(),
            Some("usr_0000000000000007")
        );
        let RefreshAnswer::Rotated(new) = redeem(&mut authority, &old) else {
            panic!("not rotated");
        };
        assert!(authority.check(old.access.expose(), NOW, None).is_none());
        assert!(authority.check(new.access.expose(), NOW, None).is_some());
        assert_eq!(
            redeem(&mut authority, &old),
            RefreshAnswer::Permanent { code: 10003 }
        );
        assert!(matches!(redeem(&mut authority, &new), RefreshAnswer::Rotated(_)));
    }

    #[test]
    fn a_token_that_has_run_out_is_refused_by_its_own_word_or_the_servers() {
        let token = first().access;
        let at = |now, life| authority().check(token.expose(), now, life).is_some();
        assert!(at(NOW + 86_399, None) && !at(NOW + 86_400, None));
        let short = Some(Duration::from_secs(10));
        assert!(at(NOW + 9, short) && !at(NOW + 10, short));
    }

    #[test]
    fn an_open_server_takes_strangers_once() {
        let mut open = Authority::open(Secret::new("internal"));
        assert!(open.check("any", NOW, None).is_some());
        assert!(open.check("", NOW, None).is_none());
        let body = RefreshRequest::new(&Secret::new("foreign")).body();
        let mut redeem = || open.redeem(body.as_bytes(), Some("dev"), NOW, None, None);
        assert!(matches!(redeem(), RefreshAnswer::Rotated(_)));
        assert_eq!(redeem(), RefreshAnswer::Permanent { code: 10003 });
        assert!(authority().check("any", NOW, None).is_none());
    }

    #[test]
    fn rotate_then_reject_hands_out_a_dead_token() {
        let mut authority = authority();
        let body = RefreshRequest::new(&first().refresh.unwrap()).body();
        let fault = Some(RefreshFault::RotateThenReject);
        let answer = authority.redeem(body.as_bytes(), Some("dev"), NOW, None, fault);
        let RefreshAnswer::Rotated(tokens) = answer else {
            panic!("not rotated");
        };
        assert!(authority.check(tokens.access.expose(), NOW, None).is_none());
    }

    #[test]
    fn where_any_refresh_token_is_taken_the_new_pair_is_good() {
        let mut authority = authority();
        let body = RefreshRequest::new(&Secret::new("foreign")).body();
        for _ in 0..2 {
            let fault = Some(RefreshFault::TakeAny);
            let answer = authority.redeem(body.as_bytes(), Some("dev"), NOW, None, fault);
            let RefreshAnswer::Rotated(tokens) = answer else {
                panic!("not rotated");
            };
            assert!(authority.check(tokens.access.expose(), NOW, None).is_some());
        }
    }
}
