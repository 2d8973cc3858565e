//! Names that tell nothing, and seals that only a replica can make or open.
//!
//! An entry: the version, the id of its key, a random nonce, the sealed text. It is sealed for its
//! name, so that it opens nowhere else.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretSlice};

/// Keep these uses of the keys apart from every other.
const NAMING: &[u8] = b"qix-proxy: names of credentials among replicas";
const SEALING: &[u8] = b"qix-proxy: credentials among replicas";
const TELLING: &[u8] = b"qix-proxy: ids of the keys of credentials among replicas";

const VERSION: u8 = 1;
const ID_LEN: usize = 8;

/// The keys that replicas share.
pub(super) struct Seals {
    names: hmac::Key,
    /// The first seals, all open.
    keys: Vec<SealingKey>,
}

struct SealingKey {
    id: [u8; ID_LEN],
    cipher: Option<RandomizedNonceKey>,
}

/// A name that tells nothing to who has not the key.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct Print([u8; 32]);

impl fmt::Display for Print {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl Seals {
    pub(super) fn new(identity_key: &SecretSlice<u8>, keys: &[SecretSlice<u8>]) -> Self {
        let names = hmac::Key::new(hmac::HMAC_SHA256, &derived(identity_key, NAMING));
        let keys = keys.iter().map(SealingKey::new).collect();
        Self { names, keys }
    }

    /// The name of what these parts make out together.
    pub(super) fn print(&self, parts: &[&[u8]]) -> Print {
        let mut context = hmac::Context::with_key(&self.names);
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        Print(whole(context.sign().as_ref()))
    }

    /// Seals a text for its name.
    pub(super) fn close(&self, print: &Print, mut text: Vec<u8>) -> Option<Vec<u8>> {
        let key = self.keys.first()?;
        let cipher = key.cipher.as_ref()?;
        let nonce = cipher.seal_in_place_append_tag(about(key.id, print), &mut text);
        Some([&[VERSION], &key.id[..], nonce.ok()?.as_ref(), &text].concat())
    }

    /// Opens what lay under a name; `None` when no replica has sealed it for that.
    pub(super) fn open(&self, print: &Print, sealed: &[u8]) -> Option<Vec<u8>> {
        let (&[version], rest) = sealed.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk::<ID_LEN>()?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>()?;
        let key = self.keys.iter().find(|key| key.id == *id)?;
        let cipher = key.cipher.as_ref().filter(|_| version == VERSION)?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = cipher.open_in_place(nonce, about(*id, print), &mut text);
        let length = opened.ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

impl SealingKey {
    fn new(key: &SecretSlice<u8>) -> Self {
        let mut id = [0; ID_LEN];
        id.copy_from_slice(&derived(key, TELLING)[..ID_LEN]);
        Self {
            id,
            cipher: RandomizedNonceKey::new(&AES_256_GCM, &derived(key, SEALING)).ok(),
        }
    }
}

fn about(id: [u8; ID_LEN], print: &Print) -> Aad<[u8; 1 + ID_LEN + 32]> {
    let mut about = [VERSION; 1 + ID_LEN + 32];
    about[1..=ID_LEN].copy_from_slice(&id);
    about[1 + ID_LEN..].copy_from_slice(&print.0);
    Aad::from(about)
}

fn derived(key: &SecretSlice<u8>, purpose: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret());
    whole(hmac::sign(&key, purpose).as_ref())
}

fn whole(tag: &[u8]) -> [u8; 32] {
    let mut whole = [0; 32];
    whole.copy_from_slice(tag);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> SecretSlice<u8> {
        text.as_bytes().to_vec().into()
    }

    fn seals(keys: &[&str]) -> Seals {
        let keys: Vec<_> = keys.iter().copied().map(key).collect();
        Seals::new(&key("identity"), &keys)
    }

    #[test]
    fn what_is_sealed_opens_under_its_name_and_its_key_alone() {
        let old = seals(&["old"]);
        let (ada, bob) = (old.print(&[b"ada"]), old.print(&[b"bob"]));
        let sealed = old.close(&ada, b"canary".to_vec()).unwrap();
        assert_eq!(old.open(&ada, &sealed).unwrap(), b"canary");
        assert!(old.open(&bob, &sealed).is_none());
        assert!(seals(&["new"]).open(&ada, &sealed).is_none());
        let both = seals(&["new", "old"]);
        assert_eq!(both.open(&ada, &sealed).unwrap(), b"canary");
        let anew = both.close(&ada, b"canary".to_vec()).unwrap();
        assert!(old.open(&ada, &anew).is_none());
        assert_ne!(old.close(&ada, b"canary".to_vec()).unwrap(), sealed);
    }

    #[test]
    fn no_bit_of_it_can_be_changed() {
        let seals = seals(&["key"]);
        let print = seals.print(&[b"a", b"b"]);
        assert!(print != seals.print(&[b"ab", b""]));
        let sealed = seals.close(&print, b"canary".to_vec()).unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"canary"));
        for bit in 0..sealed.len() * 8 {
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(seals.open(&print, &forged).is_none(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(seals.open(&print, &sealed[..length]).is_none());
        }
    }
}
