//! A client and a server in memory, for the target `tls_handshake` and its seeds.

use std::sync::{Arc, LazyLock};

use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, Error, RootCertStore, ServerConfig,
    ServerConnection, SideData,
};
use shangmi::pki::{Ca, Leaf, Validity, key};
use shangmi::random::SystemRandom;
use shangmi::sm2::SecretKey;
use shangmi::tls13;

static CONFIGS: LazyLock<(Arc<ClientConfig>, Arc<ServerConfig>)> = LazyLock::new(configs);

/// A client and a server that are about to shake hands, with the strict provider and mutual
/// authentication.
pub fn pair() -> (ClientConnection, ServerConnection) {
    let (client, server) = CONFIGS.clone();
    let name = ServerName::try_from("server.example").unwrap();
    (
        ClientConnection::new(client, name).unwrap(),
        ServerConnection::new(server).unwrap(),
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
    Ca::self_signed(&format!("CN={name}"), secret_key(), Validity::days(30)).unwrap()
}

fn configs() -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let (provider, ca) = (Arc::new(tls13::strict()), ca("fuzz"));
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate().clone().into()).unwrap();
    let roots = Arc::new(roots);

    let verifier = tls13::server_verifier(roots.clone(), &provider).unwrap();
    let client = tls13::client_config(provider.clone(), verifier)
        .unwrap()
        .with_client_cert_resolver(issue(&ca, &Leaf::client("client")));
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(tls13::client_verifier(roots, &provider).unwrap())
        .with_cert_resolver(issue(&ca, &Leaf::server("server.example")));
    (client.into(), server.into())
}

fn issue(ca: &Ca, leaf: &Leaf) -> Arc<SingleCertAndKey> {
    let secret = secret_key();
    let certificate = ca.issue(leaf, secret.public_key()).unwrap();
    let key = key::to_pkcs8_der(&secret).unwrap().to_vec();
    let key = tls13::strict()
        .key_provider
        .load_private_key(rustls::pki_types::PrivatePkcs8KeyDer::from(key).into())
        .unwrap();
    let certified: Arc<CertifiedKey> = tls13::certified_key(vec![certificate.into()], key).unwrap();
    Arc::new(SingleCertAndKey::from(certified))
}

fn secret_key() -> SecretKey {
    SecretKey::generate(&mut SystemRandom).unwrap()
}
