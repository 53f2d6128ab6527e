//! Two connections, the second one resumed, and what they free.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use rustls::sign::CertifiedKey;
use rustls::{HandshakeKind, KeyLog};
use shangmi::pki::{Ca, Leaf};
use shangmi::sm2::SecretKey;
use shangmi::sm3::HkdfSm3;
use shangmi::sm4::{KeyInit, Sm4};
use shangmi::tls13::{self, Sm2SigningKey};

use crate::common::{self, Pair};
use crate::heap::{Freed, bytes_of, freed_during, heap_of};

/// The private keys of both ends.
pub(crate) const SERVER_D: [u8; 32] = *b"server key: 32 bytes, as below n";
pub(crate) const CLIENT_D: [u8; 32] = *b"CLIENT KEY: 32 BYTES, AS BELOW N";

/// Keeps the traffic secrets that rustls reports, in room made before the recording.
#[derive(Debug)]
pub(crate) struct Secrets(pub(crate) Mutex<Vec<(String, [u8; 32])>>);

impl Secrets {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Vec::with_capacity(100))))
    }
}

impl KeyLog for Secrets {
    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        self.0
            .lock()
            .unwrap()
            .push((label.to_owned(), secret.try_into().unwrap()));
    }
}

/// Everything that two mutually authenticated connections free, from loading the keys to dropping
/// the configurations: a full handshake and a resumed one, with data and a key update in each.
pub(crate) fn connections(log: &Arc<Secrets>) -> Freed {
    let ca = common::ca("CA");
    let roots = common::roots(&ca);
    let (kind, freed) = freed_during(|| {
        let provider = common::strict();
        let server_key = certified(&ca, &common::server_leaf(), &SERVER_D);
        let client_key = certified(&ca, &common::client_leaf(), &CLIENT_D);
        let mut client = common::client_config(&provider, &roots, Some(client_key));
        let mut server = common::server_config(&provider, Some(&roots), server_key);
        server.ticketer = tls13::ticketer().unwrap();
        client.key_log = log.clone();
        server.key_log = log.clone();
        let (client, server) = (Arc::new(client), Arc::new(server));

        let mut kind = None;
        for _ in 0..2 {
            let mut pair = Pair::new(client.clone(), server.clone()).handshake();
            pair.client.refresh_traffic_keys().unwrap();
            pair.client
                .writer()
                .write_all(b"data under the next key")
                .unwrap();
            pair.run().unwrap();
            let mut data = [0; 23];
            pair.server.reader().read_exact(&mut data).unwrap();
            assert_eq!(data, *b"data under the next key");
            kind = pair.client.handshake_kind();
        }
        kind
    });
    assert_eq!(kind, Some(HandshakeKind::Resumed));
    assert!(
        freed.0.len() > 10_000,
        "only {} bytes were freed",
        freed.0.len()
    );
    freed
}

fn certified(ca: &Ca, leaf: &Leaf, d: &[u8; 32]) -> Arc<CertifiedKey> {
    let key = SecretKey::from_bytes(d).unwrap();
    let chain = vec![ca.issue(leaf, key.public_key()).unwrap().to_der().into()];
    tls13::certified_key(chain, Arc::new(Sm2SigningKey::new(Arc::new(key)))).unwrap()
}

/// Fails if the key that a traffic secret gives, or the next one, is among the freed bytes, as such
/// or as SM4's round keys, from which it can be computed.
pub(crate) fn assert_keys_gone(freed: &Freed, label: &str, secret: &[u8]) {
    // The secret after KeyUpdate (RFC 8446, 7.2).
    let next = expand_label::<32>(secret, b"traffic upd");
    for (which, secret) in [("key of", secret), ("key after", &next[..])] {
        let key = expand_label::<16>(secret, b"key");
        freed.assert_without(&format!("{which} {label}"), &key);
        // In the form that the kernel keeps, in both orders, and as the standard has them.
        let (_sm4, mut round_keys) = heap_of(|| Sm4::new(&key.into()));
        round_keys.push(bytes_of(&::sm4::Sm4::new(&key.into())));
        assert_eq!(round_keys.len(), 3);
        for round_keys in round_keys {
            assert_eq!(round_keys.len(), 128);
            freed.assert_without(&format!("round keys, {which} {label}"), &round_keys);
        }
    }
}

/// HKDF-Expand-Label with an empty context (RFC 8446, 7.1).
fn expand_label<const N: usize>(secret: &[u8], label: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let label_len = [b"tls13 ".len() as u8 + label.len() as u8];
    let info: [&[u8]; 5] = [
        &(N as u16).to_be_bytes(),
        &label_len,
        b"tls13 ",
        label,
        &[0],
    ];
    HkdfSm3::from_prk(secret).expand(&info, &mut out).unwrap();
    out
}
