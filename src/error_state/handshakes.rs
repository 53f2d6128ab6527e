//! The ways into the module that lead through rustls: configurations, handshakes and records, in both
//! worlds.

use std::io::{Read, Write};
use std::sync::Arc;

use pki_types::ServerName;
use rustls::crypto::CryptoProvider;
use rustls::sign::SingleCertAndKey;
use rustls::{
    ClientConfig, ClientConnection, Error as TlsError, NamedGroup, RootCertStore, ServerConfig,
    ServerConnection,
};

use super::entries::{Call, Entry, Refusal, call, comes_out, entry, mute};
use super::names;
use crate::gate::{Algorithm, Algorithm as A, Service, Service as S};
use crate::module;
use crate::pki::{Ca, Leaf, Validity};
use crate::random::SystemRandom;
use crate::sm2::SecretKey;
use crate::tls13::{self, Sm2SigningKey};

/// What every handshake with SM2 certificates uses.
const HANDSHAKE: &[Algorithm] = &[A::Sm2KeyGeneration, A::Sm2Sign, A::Sm2Verify, A::CtrDrbg];

pub(super) static ENTRIES: &[Entry] = &[
    entry(
        "TLS_SM4_GCM_SM3",
        &[
            S::Sm4GcmSealOwnNonce,
            S::Sm4GcmOpen,
            S::HkdfSm3,
            S::Sm2Ecdh,
            S::Random,
        ],
        &[
            A::Sm4Gcm,
            A::HkdfSm3,
            A::Sm2Ecdh,
            A::Sm2Sign,
            A::Sm2Verify,
            A::CtrDrbg,
        ],
        || whole(&SM_GCM),
    ),
    entry(
        "TLS_SM4_CCM_SM3",
        &[S::Sm4CcmSealOwnNonce, S::Sm4CcmOpen, S::HkdfSm3, S::Sm2Ecdh],
        &[A::Sm4Ccm, A::HkdfSm3, A::Sm2Ecdh, A::Sm2Sign, A::Sm2Verify],
        || whole(&SM_CCM),
    ),
    entry("a server's answer", SM, HANDSHAKE, || {
        server_answers(&SM_GCM)
    }),
    entry("a client's answer", SM, HANDSHAKE, || {
        client_answers(&SM_GCM)
    }),
    entry("sealing of a record", SM, HANDSHAKE, || seals(&SM_GCM)),
    entry("opening of a record", SM, HANDSHAKE, || opens(&SM_GCM)),
    entry(
        "a session ticket",
        &[S::Sm4GcmSealOwnNonce],
        &[A::Sm4Gcm],
        || {
            let ticketer = tls13::ticketer()?;
            call(move || comes_out(&ticketer.encrypt(b"session").ok_or(Refusal::Mute)?))
        },
    ),
    entry(
        "a session ticket, opened",
        &[S::Sm4GcmOpen],
        &[A::Sm4Gcm],
        || {
            let ticketer = tls13::ticketer()?;
            let ticket = ticketer.encrypt(b"session").ok_or(Refusal::Mute)?;
            call(move || comes_out(&ticketer.decrypt(&ticket).ok_or(Refusal::Mute)?))
        },
    ),
];

const SM: &[Service] = &[S::Sm2Sign, S::Sm4GcmSealOwnNonce];

/// A provider's suite and group, and all of it when no test has run yet.
pub(super) struct World {
    pub(super) provider: fn() -> CryptoProvider,
    pub(super) suite: usize,
    pub(super) group: NamedGroup,
}

const SM_GCM: World = World {
    provider: tls13::sm,
    suite: 0,
    group: tls13::CURVE_SM2,
};

const SM_CCM: World = World { suite: 1, ..SM_GCM };

impl World {
    /// With this suite and this group alone.
    fn provider(&self) -> Arc<CryptoProvider> {
        let mut provider = (self.provider)();
        provider.cipher_suites = vec![provider.cipher_suites[self.suite]];
        provider
            .kx_groups
            .retain(|group| group.name() == self.group);
        Arc::new(provider)
    }

    fn configurations(&self) -> Result<(Arc<ServerConfig>, Arc<ClientConfig>), Refusal> {
        let provider = self.provider();
        let root = SecretKey::generate(&mut SystemRandom)?;
        let ca = Ca::self_signed("CN=Root", root, Validity::days(1))?;
        let key = SecretKey::generate(&mut SystemRandom)?;
        let certificate = ca.issue(&Leaf::server("localhost"), key.public_key())?;
        let chain = vec![certificate.to_der().into()];
        let own = tls13::certified_key(chain, Arc::new(Sm2SigningKey::new(Arc::new(key))))?;
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));

        let mut roots = RootCertStore::empty();
        roots.add(ca.certificate().to_der().into())?;
        let verifier = tls13::server_verifier(roots, &provider)?;
        let client = tls13::client_config(provider, verifier)?.with_no_client_auth();
        Ok((Arc::new(server), Arc::new(client)))
    }

    fn pair(&self) -> Result<Pair, Refusal> {
        let (server, client) = self.configurations()?;
        Pair::new(server, client)
    }
}

/// Both ends of a connection.
pub(super) struct Pair {
    pub(super) client: ClientConnection,
    pub(super) server: ServerConnection,
}

impl Pair {
    fn new(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> Result<Self, Refusal> {
        let name = ServerName::try_from("localhost")?;
        Ok(Self {
            client: ClientConnection::new(client, name).map_err(of_tls)?,
            server: ServerConnection::new(server).map_err(of_tls)?,
        })
    }

    fn client_speaks(&mut self) -> Result<(), Refusal> {
        let mut flight = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut flight)?;
        }
        let mut flight = &flight[..];
        while !flight.is_empty() {
            self.server.read_tls(&mut flight)?;
            self.server.process_new_packets().map_err(of_tls)?;
        }
        Ok(())
    }

    fn server_speaks(&mut self) -> Result<(), Refusal> {
        let mut flight = Vec::new();
        while self.server.wants_write() {
            self.server.write_tls(&mut flight)?;
        }
        let mut flight = &flight[..];
        while !flight.is_empty() {
            self.client.read_tls(&mut flight)?;
            self.client.process_new_packets().map_err(of_tls)?;
        }
        Ok(())
    }

    fn shake_hands(&mut self) -> Result<(), Refusal> {
        while self.client.is_handshaking() || self.server.is_handshaking() {
            self.client_speaks()?;
            self.server_speaks()?;
        }
        Ok(())
    }
}

/// What says why, and what rustls cannot.
fn of_tls(error: TlsError) -> Refusal {
    match error {
        TlsError::Other(_) => error.into(),
        _ => Refusal::Mute,
    }
}

pub(super) fn whole(world: &World) -> Result<Call, Refusal> {
    let (server, client) = world.configurations()?;
    call(|| {
        let mut pair = Pair::new(server, client)?;
        pair.shake_hands()?;
        pair.client.writer().write_all(b"request")?;
        pair.client_speaks()?;
        let mut read = [0; 7];
        pair.server.reader().read_exact(&mut read)?;
        comes_out(&read)
    })
}

pub(super) fn server_answers(world: &World) -> Result<Call, Refusal> {
    let mut pair = world.pair()?;
    call(move || pair.client_speaks())
}

pub(super) fn client_answers(world: &World) -> Result<Call, Refusal> {
    let mut pair = world.pair()?;
    pair.client_speaks()?;
    call(move || pair.server_speaks())
}

pub(super) fn seals(world: &World) -> Result<Call, Refusal> {
    let mut pair = world.pair()?;
    pair.shake_hands()?;
    call(move || {
        pair.client.writer().write_all(b"request")?;
        let mut sealed = Vec::new();
        pair.client.write_tls(&mut sealed)?;
        comes_out(&sealed)
    })
}

pub(super) fn opens(world: &World) -> Result<Call, Refusal> {
    let mut pair = world.pair()?;
    pair.shake_hands()?;
    pair.client.writer().write_all(b"request")?;
    let mut sealed = Vec::new();
    pair.client.write_tls(&mut sealed)?;
    call(move || {
        pair.server.read_tls(&mut &sealed[..])?;
        pair.server.process_new_packets().map_err(mute)?;
        let mut read = [0; 7];
        pair.server.reader().read_exact(&mut read)?;
        comes_out(&read)
    })
}

/// A provider of each kind.
pub(super) fn providers() -> Vec<CryptoProvider> {
    vec![
        tls13::try_strict().unwrap(),
        tls13::try_layered(tls13::strict()).unwrap(),
        #[cfg(feature = "international")]
        tls13::try_mixed().unwrap(),
        #[cfg(feature = "international")]
        tls13::try_layered(tls13::mixed()).unwrap(),
    ]
}

/// Providers that were made before the failure.
pub(super) fn make_nothing(providers: &[CryptoProvider]) {
    for provider in providers {
        assert!(provider.secure_random.fill(&mut [0; 32]).is_err());
        for group in &provider.kx_groups {
            assert!(group.start().is_err(), "{:?}", group.name());
        }
    }
}

/// Providers that are made after it.
pub(super) fn build_nothing(failed: &str) {
    let says = |error: module::Error| assert!(names(&error.to_string(), failed), "{error}");
    says(tls13::try_strict().unwrap_err());
    says(tls13::try_layered(tls13::sm()).unwrap_err());
    #[cfg(feature = "international")]
    says(tls13::try_mixed().unwrap_err());
    let made = [
        tls13::strict(),
        tls13::layered(tls13::sm()),
        #[cfg(feature = "international")]
        tls13::mixed(),
    ];
    for provider in made {
        assert!(provider.cipher_suites.is_empty());
        assert!(provider.kx_groups.is_empty());
        assert!(provider.secure_random.fill(&mut [0; 32]).is_err());
        let provider = Arc::new(provider);
        let server = ServerConfig::builder_with_provider(provider.clone());
        assert!(server.with_safe_default_protocol_versions().is_err());
        let client = ClientConfig::builder_with_provider(provider);
        assert!(client.with_safe_default_protocol_versions().is_err());
    }
}

/// In strict GM mode.
pub(super) fn are_all_sm() {
    for provider in providers() {
        let suites: Vec<_> = provider.cipher_suites.iter().map(|s| s.suite()).collect();
        assert_eq!(suites, [tls13::TLS_SM4_GCM_SM3, tls13::TLS_SM4_CCM_SM3]);
        let groups: Vec<_> = provider.kx_groups.iter().map(|g| g.name()).collect();
        assert_eq!(groups, [tls13::CURVE_SM2]);
    }
    for world in [SM_GCM, SM_CCM] {
        let done = whole(&world).and_then(|call| call());
        assert!(done.is_ok(), "{done:?}");
    }
}
