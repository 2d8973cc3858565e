//! The cryptography of every TLS connection: AWS-LC's, by rustls, but for how TLS 1.3 derives its keys and
//! for the random bytes that a handshake says.
//!
//! In the derivation one secret is the key of several HMACs (HKDF, RFC 5869; RFC 8446 section 7.1). The first
//! blocks of each, which depend on the key alone, are computed once.

use std::sync::LazyLock;

use aws_lc_rs::hmac::{Algorithm, HMAC_SHA256, HMAC_SHA384, Key, sign_to_buffer};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::hash::HashAlgorithm;
use rustls::crypto::hmac::Tag;
use rustls::crypto::tls13::{Hkdf, HkdfExpander, OkmBlock, OutputLengthError};
use rustls::crypto::{CipherSuiteCommon, CryptoProvider, GetRandomFailed, SecureRandom};
use rustls::{SupportedCipherSuite, Tls13CipherSuite};
use secrecy::zeroize::{Zeroize, Zeroizing};

use crate::random;

static WITH_SHA256: LazyLock<Derivation> = LazyLock::new(|| Derivation::new(HMAC_SHA256));
static WITH_SHA384: LazyLock<Derivation> = LazyLock::new(|| Derivation::new(HMAC_SHA384));
static SUITES: LazyLock<Vec<SupportedCipherSuite>> = LazyLock::new(|| {
    let stock = default_provider().cipher_suites;
    stock.into_iter().map(deriving_once).collect()
});

/// What all TLS of the proxy computes with.
#[must_use]
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: SUITES.clone(),
        secure_random: &OnTheWire,
        ..default_provider()
    }
}

/// The same suite, with our derivation of keys where it is TLS 1.3's. It is made once and lives as long
/// as the process, as rustls wants it.
fn deriving_once(suite: SupportedCipherSuite) -> SupportedCipherSuite {
    let Some(stock) = suite.tls13() else {
        return suite;
    };
    let derivation: &'static Derivation = match stock.common.hash_provider.algorithm() {
        HashAlgorithm::SHA256 => &WITH_SHA256,
        HashAlgorithm::SHA384 => &WITH_SHA384,
        _ => return suite,
    };
    SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
        hkdf_provider: derivation,
        common: CipherSuiteCommon { ..stock.common },
        ..*stock
    })))
}

/// What a handshake says that is random: rustls makes nonces of it, and ids. Keys, signatures and what
/// seals a ticket have AWS-LC's own.
#[derive(Debug)]
struct OnTheWire;

impl SecureRandom for OnTheWire {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        random::fill(bytes).map_err(|_| GetRandomFailed)
    }
}

/// HKDF with one hash.
struct Derivation {
    hmac: Algorithm,
    /// What every handshake without an earlier secret begins with.
    from_nothing: Key,
}

impl Derivation {
    fn new(hmac: Algorithm) -> Self {
        let nothing = nothing(hmac);
        Self {
            hmac,
            from_nothing: extract(hmac, nothing, nothing),
        }
    }
}

impl Hkdf for Derivation {
    fn extract_from_zero_ikm(&self, salt: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        Box::new(Expander(match salt {
            None => self.from_nothing.clone(),
            Some(salt) => extract(self.hmac, salt, nothing(self.hmac)),
        }))
    }

    fn extract_from_secret(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        let salt = salt.unwrap_or(nothing(self.hmac));
        Box::new(Expander(extract(self.hmac, salt, secret)))
    }

    fn expander_for_okm(&self, okm: &OkmBlock) -> Box<dyn HkdfExpander> {
        Box::new(Expander(Key::new(self.hmac, okm.as_ref())))
    }

    fn hmac_sign(&self, key: &OkmBlock, message: &[u8]) -> Tag {
        let key = Key::new(self.hmac, key.as_ref());
        Tag::new(&mac(&key, message)[..self.hmac.tag_len()])
    }
}

/// HKDF-Expand of one secret.
struct Expander(Key);

impl Expander {
    /// What follows on the block before it.
    fn block(&self, before: Option<&Block>, info: &[&[u8]], number: u8) -> Block {
        let before = before.map_or(&[][..], |block| &block[..self.hash_len()]);
        let length = before.len() + info.iter().map(|piece| piece.len()).sum::<usize>() + 1;
        let mut message = Vec::with_capacity(length);
        message.extend_from_slice(before);
        for piece in info {
            message.extend_from_slice(piece);
        }
        message.push(number);
        let block = mac(&self.0, &message);
        if !before.is_empty() {
            message.zeroize();
        }
        block
    }
}

impl HkdfExpander for Expander {
    fn expand_slice(&self, info: &[&[u8]], output: &mut [u8]) -> Result<(), OutputLengthError> {
        if output.len() > self.hash_len() * usize::from(u8::MAX) {
            return Err(OutputLengthError);
        }
        let mut before = None;
        for (number, piece) in (1..=u8::MAX).zip(output.chunks_mut(self.hash_len())) {
            let block = self.block(before.as_ref(), info, number);
            piece.copy_from_slice(&block[..piece.len()]);
            before = Some(block);
        }
        Ok(())
    }

    fn expand_block(&self, info: &[&[u8]]) -> OkmBlock {
        OkmBlock::new(&self.block(None, info, 1)[..self.hash_len()])
    }

    fn hash_len(&self) -> usize {
        self.0.algorithm().tag_len()
    }
}

/// An HMAC, and nothing behind it. It is wiped, for mostly it is a secret.
type Block = Zeroizing<[u8; OkmBlock::MAX_LEN]>;

fn mac(key: &Key, message: &[u8]) -> Block {
    let mut block = Block::new([0; OkmBlock::MAX_LEN]);
    let made = sign_to_buffer(key, message, &mut block[..]);
    // Nothing but too short a block is refused there, and zeroes would be a key that everybody has.
    assert!(made.is_ok(), "a block is long enough for every HMAC");
    block
}

fn extract(hmac: Algorithm, salt: &[u8], secret: &[u8]) -> Key {
    let block = mac(&Key::new(hmac, salt), secret);
    Key::new(hmac, &block[..hmac.tag_len()])
}

/// The salt, or the secret, where there is none (RFC 8446 section 7.1).
fn nothing(hmac: Algorithm) -> &'static [u8] {
    &[0; OkmBlock::MAX_LEN][..hmac.tag_len()]
}

#[cfg(test)]
mod tests {
    use rustls::crypto::aws_lc_rs::cipher_suite::{
        TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
    };

    use super::*;

    fn expanded(expander: &dyn HkdfExpander, length: usize) -> Option<Vec<u8>> {
        let mut output = vec![0; length];
        let info: [&[u8]; 3] = [b"tls13 ", b"", b"key"];
        expander.expand_slice(&info, &mut output).ok()?;
        let block = expander.expand_block(&info);
        assert_eq!(block.as_ref().len(), expander.hash_len());
        let both = length.min(expander.hash_len());
        assert_eq!(&block.as_ref()[..both], &output[..both]);
        Some(output)
    }

    /// All that a handshake has derived, by one provider or another.
    fn derived(hkdf: &dyn Hkdf, secret: &[u8], length: usize) -> Vec<Option<Vec<u8>>> {
        let okm = OkmBlock::new(&secret[..secret.len().min(OkmBlock::MAX_LEN)]);
        let expanders = [
            hkdf.extract_from_zero_ikm(None),
            hkdf.extract_from_zero_ikm(Some(secret)),
            hkdf.extract_from_secret(None, secret),
            hkdf.extract_from_secret(Some(b"salt"), secret),
            hkdf.expander_for_okm(&okm),
        ];
        let tag = hkdf.hmac_sign(&okm, secret).as_ref().to_vec();
        let all = expanders.iter().map(|one| expanded(&**one, length));
        all.chain([Some(tag)]).collect()
    }

    #[test]
    fn keys_are_derived_as_rustls_derives_them() {
        let stock = [
            TLS13_AES_128_GCM_SHA256,
            TLS13_AES_256_GCM_SHA384,
            TLS13_CHACHA20_POLY1305_SHA256,
        ];
        let ours = provider().cipher_suites;
        let ours = ours.iter().filter_map(SupportedCipherSuite::tls13);
        let mut seen = 0;
        for (ours, stock) in ours.flat_map(|ours| stock.iter().map(move |stock| (ours, stock))) {
            let stock = stock.tls13().unwrap();
            if ours.common.suite != stock.common.suite {
                continue;
            }
            seen += 1;
            assert!(!std::ptr::addr_eq(ours.hkdf_provider, stock.hkdf_provider));
            let length = stock.hkdf_provider.extract_from_zero_ikm(None).hash_len();
            let most = 255 * length;
            for (secret, length) in [
                (&b""[..], 12),
                (b"a", 32),
                (&[7; 48], length),
                (&[8; 32], length + 1),
                (&[9; 200], most),
                (b"a", most + 1),
            ] {
                let one = derived(ours.hkdf_provider, secret, length);
                assert_eq!(one, derived(stock.hkdf_provider, secret, length));
                assert_eq!(one[0].is_none(), length > most);
            }
        }
        assert_eq!(seen, stock.len());
    }

    #[test]
    fn it_offers_what_rustls_offers() {
        let (ours, stock) = (provider(), default_provider());
        let suites = |provider: &CryptoProvider| -> Vec<_> {
            let suites = provider.cipher_suites.iter();
            suites.map(SupportedCipherSuite::suite).collect()
        };
        assert_eq!(suites(&ours), suites(&stock));
        assert_eq!(format!("{:?}", ours.secure_random), "OnTheWire");
        let groups = |provider: &CryptoProvider| -> Vec<_> {
            provider
                .kx_groups
                .iter()
                .map(|group| group.name())
                .collect()
        };
        assert_eq!(groups(&ours), groups(&stock));
    }
}
