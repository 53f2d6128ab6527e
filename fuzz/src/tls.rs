//! A client and a server in memory, for the target `tls_handshake` and its seeds: each pair with the
//! same keys, certificates and random bytes, and with no memory of an earlier session.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, UNIX_EPOCH};

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::server::ServerSessionMemoryCache;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, Error, RootCertStore, ServerConfig,
    ServerConnection, SideData,
};
use shangmi::pki::{Ca, Leaf, Validity, key};
use shangmi::sm2::SecretKey;
use shangmi::tls13;

use crate::{alter_flights, altered, random};

static CONFIGS: LazyLock<(ClientConfig, ServerConfig)> = LazyLock::new(configs);

/// A client and a server that are about to shake hands, with the strict provider and mutual
/// authentication. What they encrypt, [`alter_flights`](crate::alter_flights) alters.
pub fn pair() -> (ClientConnection, ServerConnection) {
    let (mut client, mut server) = CONFIGS.clone();
    client.resumption = Resumption::in_memory_sessions(2);
    server.session_storage = ServerSessionMemoryCache::new(2);
    random::restart();
    alter_flights(&[]);
    let name = ServerName::try_from("server.example").unwrap();
    (
        ClientConnection::new(client.into(), name).unwrap(),
        ServerConnection::new(server.into()).unwrap(),
    )
}

/// Takes what a side has to send.
pub fn sent<D: SideData>(from: &mut ConnectionCommon<D>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// Gives bytes to a side and lets it work on them.
pub fn deliver<D: SideData>(to: &mut ConnectionCommon<D>, mut bytes: &[u8]) -> Result<(), Error> {
    while !bytes.is_empty() {
        to.read_tls(&mut bytes).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

/// A CA of the name `name`.
pub fn ca(name: &str) -> Ca {
    Ca::self_signed(&format!("CN={name}"), secret_key(1), validity()).unwrap()
}

fn configs() -> (ClientConfig, ServerConfig) {
    random::restart();
    let (provider, ca) = (Arc::new(altered::provider()), ca("fuzz"));
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate().clone().into()).unwrap();
    let roots = Arc::new(roots);

    let verifier = tls13::server_verifier(roots.clone(), &provider).unwrap();
    let client = tls13::client_config(provider.clone(), verifier)
        .unwrap()
        .with_client_cert_resolver(issue(&ca, Leaf::client("client"), secret_key(2)));
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(tls13::client_verifier(roots, &provider).unwrap())
        .with_cert_resolver(issue(&ca, Leaf::server("server.example"), secret_key(3)));
    (client, server)
}

fn issue(ca: &Ca, leaf: Leaf, secret: SecretKey) -> Arc<SingleCertAndKey> {
    let leaf = leaf.validity(validity());
    let certificate = ca.issue(&leaf, secret.public_key()).unwrap();
    let key = key::to_pkcs8_der(&secret).unwrap().to_vec();
    let key = tls13::strict()
        .key_provider
        .load_private_key(rustls::pki_types::PrivatePkcs8KeyDer::from(key).into())
        .unwrap();
    let certified: Arc<CertifiedKey> = tls13::certified_key(vec![certificate.into()], key).unwrap();
    Arc::new(SingleCertAndKey::from(certified))
}

fn secret_key(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32]).unwrap()
}

/// From 2020 to 2100: the certificates do not depend on the day on which they are made.
fn validity() -> Validity {
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    Validity::new(at(1_577_836_800), at(4_102_444_800))
}
