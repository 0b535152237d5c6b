//! Key derivation: the PRF of TLS 1.2 (RFC 5246 5) and HKDF-Expand-Label of TLS 1.3 (RFC 8446 7.1).

use super::suite::SuiteHash;
use ring::hkdf::{KeyType, Prk};
use ring::hmac;

/// Fills `out` with `P_hash(secret, label + seed)`.
pub(super) fn tls12_prf(hash: SuiteHash, secret: &[u8], label: &[u8], seed: [&[u8]; 2], out: &mut [u8]) {
    let key = hmac::Key::new(hash.hmac(), secret);
    let sign = |parts: &[&[u8]]| {
        let mut context = hmac::Context::with_key(&key);
        for part in parts {
            context.update(part);
        }
        context.sign()
    };
    let mut a = sign(&[label, seed[0], seed[1]]);
    for chunk in out.chunks_mut(hash.len()) {
        let block = sign(&[a.as_ref(), label, seed[0], seed[1]]);
        chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
        a = sign(&[a.as_ref()]);
    }
}

/// Fills `out` with `HKDF-Expand-Label(secret, label, "", out.len())`. An `out` longer than 255 hashes is left as it is;
/// nothing here asks for more than 48 bytes.
pub(super) fn tls13_expand(hash: SuiteHash, secret: &[u8], label: &[u8], out: &mut [u8]) {
    let [_, _, high, low] = u32::try_from(out.len()).unwrap_or(u32::MAX).to_be_bytes();
    let label_len = u8::try_from(b"tls13 ".len() + label.len()).unwrap_or(u8::MAX);
    let info: [&[u8]; 5] = [&[high, low], &[label_len], b"tls13 ", label, &[0]];
    if let Ok(okm) = Prk::new_less_safe(hash.hkdf(), secret).expand(&info, Length(out.len())) {
        // It fails only for a length other than the one just asked for.
        let _ = okm.fill(out);
    }
}

/// A wanted number of bytes.
#[derive(Clone, Copy)]
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    // <https://mailarchive.ietf.org/arch/msg/tls/fzVCzk-z3FShgGJ6DOXqM1ydxms/>
    #[test]
    fn the_prf_gives_the_published_vector() {
        let secret = unhex("9bbe436ba940f017b17652849a71db35");
        let seed = unhex("a0ba9f936cda311827a6f796ffd5198c");
        let mut out = [0; 100];
        tls12_prf(
            SuiteHash::Sha256,
            &secret,
            b"test label",
            [&seed[..7], &seed[7..]],
            &mut out,
        );
        assert_eq!(
            out.to_vec(),
            unhex(
                "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0f\
                 a022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66"
            )
        );
    }

    // RFC 8448 3: the server's handshake traffic secret and the keys made of it.
    #[test]
    fn expand_label_gives_the_keys_of_rfc_8448() {
        let secret = unhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
        let (mut key, mut iv) = ([0; 16], [0; 12]);
        tls13_expand(SuiteHash::Sha256, &secret, b"key", &mut key);
        tls13_expand(SuiteHash::Sha256, &secret, b"iv", &mut iv);
        assert_eq!(key.to_vec(), unhex("3fce516009c21727d0f2e4e86ee403bc"));
        assert_eq!(iv.to_vec(), unhex("5d313eb2671276ee13000b30"));
    }
}
