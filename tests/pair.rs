//! A client and a server in memory: what the TLS 1.3 provider must do.

#![cfg(feature = "international")] // the default

mod common;

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::server::Acceptor;
use rustls::sign::CertifiedKey;
use rustls::{ConnectionCommon, HandshakeKind, NamedGroup, SideData, SignatureScheme};
use shangmi::tls13::{
    self, CURVE_SM2, Negotiated, SM2SIG_SM3, TLS_SM4_CCM_SM3, TLS_SM4_GCM_SM3, negotiated,
};

use common::*;

const MIB: usize = 1 << 20;

#[test]
fn both_suites_with_mutual_authentication() {
    let ca = ca("root");
    let roots = roots(&ca);
    let (server, client) = (issue(&ca, &server_leaf()), issue(&ca, &client_leaf()));
    for suite in [TLS_SM4_GCM_SM3, TLS_SM4_CCM_SM3] {
        let pair = Pair::new(
            client_config(&strict_with(suite), &roots, Some(client.clone())),
            server_config(&strict(), Some(&roots), server.clone()),
        )
        .handshake();
        assert_eq!(
            pair.client.negotiated_cipher_suite().unwrap().suite(),
            suite
        );
        let group = pair.server.negotiated_key_exchange_group().unwrap();
        assert_eq!(group.name(), CURVE_SM2);
        assert_eq!(pair.client.peer_certificates(), Some(&server.cert[..]));
        assert_eq!(pair.server.peer_certificates(), Some(&client.cert[..]));
        assert_eq!(negotiated(&pair.client).unwrap(), Negotiated::Sm);
        assert_eq!(negotiated(&pair.server).unwrap(), Negotiated::Sm);
    }
}

#[test]
fn a_chain_through_an_intermediate_authority() {
    let root = ca("root");
    let between = root
        .subordinate(
            "CN=between",
            secret_key(),
            shangmi::pki::Validity::days(9),
            0,
        )
        .unwrap();
    let leaf = issue(&between, &server_leaf());
    let chain = vec![leaf.cert[0].clone(), der(&between)];
    let server = tls13::certified_key(chain, leaf.key.clone()).unwrap();
    Pair::new(
        client_config(&strict(), &roots(&root), None),
        server_config(&strict(), None, server),
    )
    .handshake();
}

#[test]
fn strict_puts_nothing_but_sm_on_the_wire() {
    let ca = ca("root");
    let roots = roots(&ca);
    let client = SeenSchemes::new(issue(&ca, &client_leaf()));
    let mut config = client_config(&strict(), &roots, None);
    config.client_auth_cert_resolver = client.clone();
    let server = Arc::new(server_config(
        &strict(),
        Some(&roots),
        issue(&ca, &server_leaf()),
    ));
    let mut pair = Pair::new(config, server);

    let mut acceptor = Acceptor::default();
    let hello = written(&mut pair.client);
    acceptor.read_tls(&mut &hello[..]).unwrap();
    let accepted = acceptor.accept().unwrap().unwrap();
    let offered = accepted.client_hello();
    assert_eq!(
        offered.cipher_suites()[..2],
        [TLS_SM4_GCM_SM3, TLS_SM4_CCM_SM3]
    );
    // TLS_EMPTY_RENEGOTIATION_INFO_SCSV, which is no suite.
    assert!(
        offered.cipher_suites()[2..]
            .iter()
            .all(|suite| u16::from(*suite) == 0x00ff)
    );
    assert_eq!(offered.named_groups(), Some(&[CURVE_SM2][..]));
    assert_eq!(offered.signature_schemes(), [SM2SIG_SM3]);

    deliver(&mut pair.server, &hello).unwrap();
    pair.handshake();
    assert_eq!(*client.seen.lock().unwrap(), [SM2SIG_SM3]);
}

/// A client certificate that remembers which schemes the CertificateRequest listed.
#[derive(Debug)]
struct SeenSchemes {
    own: Arc<CertifiedKey>,
    seen: Mutex<Vec<SignatureScheme>>,
}

impl SeenSchemes {
    fn new(own: Arc<CertifiedKey>) -> Arc<Self> {
        Arc::new(Self {
            own,
            seen: Mutex::default(),
        })
    }
}

impl ResolvesClientCert for SeenSchemes {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        *self.seen.lock().unwrap() = schemes.to_vec();
        Some(self.own.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[test]
fn resumption_with_tickets() {
    let ca = ca("root");
    let roots = roots(&ca);
    for suite in [TLS_SM4_GCM_SM3, TLS_SM4_CCM_SM3] {
        let client = issue(&ca, &client_leaf());
        let mut config = client_config(&strict_with(suite), &roots, Some(client.clone()));
        config.resumption = Resumption::in_memory_sessions(8);
        let config = Arc::new(config);
        let mut server = server_config(&strict(), Some(&roots), issue(&ca, &server_leaf()));
        server.ticketer = tls13::ticketer().unwrap();
        server.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        let server = Arc::new(server);

        let first = Pair::new(config.clone(), server.clone()).handshake();
        assert_eq!(first.client.handshake_kind(), Some(HandshakeKind::Full));
        let second = Pair::new(config.clone(), server.clone()).handshake();
        assert_eq!(second.client.handshake_kind(), Some(HandshakeKind::Resumed));
        assert_eq!(second.server.handshake_kind(), Some(HandshakeKind::Resumed));
        assert_eq!(second.server.peer_certificates(), Some(&client.cert[..]));
        assert_eq!(
            second.client.peer_certificates(),
            first.client.peer_certificates()
        );
        assert!(second.client.peer_certificates().is_some());
        assert_eq!(negotiated(&second.client).unwrap(), Negotiated::Sm);

        // A server that has lost its ticket keys falls back to a full handshake.
        let mut restarted = (*server).clone();
        restarted.ticketer = tls13::ticketer().unwrap();
        let third = Pair::new(config, restarted).handshake();
        assert_eq!(third.client.handshake_kind(), Some(HandshakeKind::Full));
    }
}

#[test]
fn hello_retry_request_to_curve_sm2() {
    let ca = ca("root");
    let roots = roots(&ca);
    let mut provider = tls13::mixed();
    provider.kx_groups.reverse();
    assert_ne!(provider.kx_groups[0].name(), CURVE_SM2);
    let pair = Pair::new(
        client_config(
            &Arc::new(provider),
            &roots,
            Some(issue(&ca, &client_leaf())),
        ),
        server_config(&strict(), Some(&roots), issue(&ca, &server_leaf())),
    )
    .handshake();
    let kind = pair.client.handshake_kind();
    assert_eq!(kind, Some(HandshakeKind::FullWithHelloRetryRequest));
    assert_eq!(negotiated(&pair.client).unwrap(), Negotiated::Sm);
}

#[test]
fn four_mebibytes_each_way_and_across_key_updates() {
    let ca = ca("root");
    let roots = roots(&ca);
    for suite in [TLS_SM4_GCM_SM3, TLS_SM4_CCM_SM3] {
        let mut pair = Pair::new(
            client_config(&strict_with(suite), &roots, None),
            server_config(&strict(), None, issue(&ca, &server_leaf())),
        )
        .handshake();
        let data: Vec<u8> = (0..4 * MIB).map(|i| ((i * 31) >> 7) as u8).collect();
        assert!(carry(&mut pair.client, &mut pair.server, &data) == data);
        assert!(carry(&mut pair.server, &mut pair.client, &data) == data);

        pair.client.refresh_traffic_keys().unwrap();
        assert_eq!(
            carry(&mut pair.client, &mut pair.server, b"new keys"),
            b"new keys"
        );
        assert_eq!(
            carry(&mut pair.server, &mut pair.client, b"here too"),
            b"here too"
        );
        pair.server.refresh_traffic_keys().unwrap();
        assert_eq!(
            carry(&mut pair.server, &mut pair.client, b"again"),
            b"again"
        );
        assert_eq!(
            carry(&mut pair.client, &mut pair.server, b"and back"),
            b"and back"
        );
    }
}

/// Sends `data` and returns what arrives.
fn carry<A: SideData, B: SideData>(
    from: &mut ConnectionCommon<A>,
    to: &mut ConnectionCommon<B>,
    data: &[u8],
) -> Vec<u8> {
    let mut arrived = Vec::new();
    for chunk in data.chunks(MIB / 4) {
        from.set_buffer_limit(None);
        from.writer().write_all(chunk).unwrap();
        let mut wire = &written(from)[..];
        while !wire.is_empty() {
            to.read_tls(&mut wire).unwrap();
            to.process_new_packets().unwrap();
            match to.reader().read_to_end(&mut arrived) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
        }
    }
    arrived
}

#[test]
fn server_name_and_application_protocol() {
    let ca = ca("root");
    let mut client = client_config(&strict(), &roots(&ca), None);
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut server = server_config(&strict(), None, issue(&ca, &server_leaf()));
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    let pair = Pair::new(client, server).handshake();
    assert_eq!(pair.server.server_name(), Some(NAME));
    assert_eq!(pair.client.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(pair.server.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[test]
fn traffic_keys_cannot_be_extracted_and_say_so() {
    let ca = ca("root");
    let mut client = client_config(&strict(), &roots(&ca), None);
    client.enable_secret_extraction = true;
    let pair = Pair::new(
        client,
        server_config(&strict(), None, issue(&ca, &server_leaf())),
    );
    let Err(error) = pair.handshake().client.dangerous_extract_secrets() else {
        panic!("rustls 0.23 has no name for SM4 traffic keys");
    };
    assert_eq!(
        error.to_string(),
        "unexpected error: operation not supported"
    );
}

#[test]
fn sm_and_international_clients_on_one_mixed_configuration() {
    one_configuration_serves_both(international::mixed());
}

#[test]
fn sm_and_international_clients_on_one_layered_configuration() {
    let provider = Arc::new(tls13::layered(international::international()));
    one_configuration_serves_both(provider);
}

fn one_configuration_serves_both(provider: Arc<CryptoProvider>) {
    let ca = ca("root");
    let (p256_root, p256_server) = international::p256_server();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(der(&ca)).unwrap();
    roots.add(p256_root).unwrap();
    let roots = Arc::new(roots);

    let sm = issue(&ca, &server_leaf());
    let mut server = server_config(&provider, None, sm.clone());
    server.cert_resolver = Arc::new(tls13::CertificateByHello::new(
        sm.clone(),
        Arc::new(rustls::sign::SingleCertAndKey::from(p256_server.clone())),
        &provider,
    ));
    let server = Arc::new(server);
    let connect = |client: &Arc<CryptoProvider>| {
        Pair::new(client_config(client, &roots, None), server.clone())
    };

    let pair = connect(&strict()).handshake();
    assert_eq!(pair.client.peer_certificates(), Some(&sm.cert[..]));
    assert_eq!(negotiated(&pair.server).unwrap(), Negotiated::Sm);

    let pair = connect(&Arc::new(international::international())).handshake();
    assert_eq!(pair.client.peer_certificates(), Some(&p256_server.cert[..]));
    assert_eq!(negotiated(&pair.server).unwrap(), Negotiated::International);

    // A client of both worlds prefers SM.
    let pair = connect(&provider).handshake();
    assert_eq!(pair.client.peer_certificates(), Some(&sm.cert[..]));
    assert_eq!(negotiated(&pair.client).unwrap(), Negotiated::Sm);

    // Its suites and groups point to different worlds: refused rather than combined.
    let pair = connect(&groups_reversed(&provider));
    let (refused, warnings) = log::warnings_of(|| pair.refusal());
    assert_eq!(
        alert(&refused.client),
        Some(rustls::AlertDescription::AccessDenied)
    );
    let [warning] = &warnings[..] else {
        panic!("{warnings:?}");
    };
    for part in ["0xc6", "secp256r1", "Choice"] {
        assert!(warning.contains(part), "{warning}");
    }
}

#[test]
fn a_whole_configuration_chosen_by_the_hello() {
    let ca = ca("root");
    let (p256_root, p256_server) = international::p256_server();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(der(&ca)).unwrap();
    roots.add(p256_root).unwrap();
    let roots = Arc::new(roots);
    let choice = tls13::Choice::new(
        Arc::new(server_config(&strict(), None, issue(&ca, &server_leaf()))),
        Arc::new(server_config(&international::mixed(), None, p256_server)),
    );

    let international = Arc::new(international::international());
    let mut no_sm_group = tls13::mixed();
    no_sm_group.kx_groups.remove(0);
    no_sm_group.cipher_suites.rotate_left(2);
    for (provider, expected) in [
        (strict(), Negotiated::Sm),
        (international::mixed(), Negotiated::Sm),
        (groups_reversed(&international::mixed()), Negotiated::Sm),
        (international, Negotiated::International),
        // An SM suite without curveSM2 is no SM client.
        (Arc::new(no_sm_group), Negotiated::International),
    ] {
        let name = NAME.try_into().unwrap();
        let config = Arc::new(client_config(&provider, &roots, None));
        let mut client = rustls::ClientConnection::new(config, name).unwrap();
        let mut acceptor = Acceptor::default();
        acceptor.read_tls(&mut &written(&mut client)[..]).unwrap();
        let accepted = acceptor.accept().unwrap().unwrap();
        let config = choice.config_for(&accepted.client_hello());
        let server = accepted.into_connection(config).ok().unwrap();
        let pair = Pair { client, server }.handshake();
        assert_eq!(negotiated(&pair.client).unwrap(), expected);
        assert_eq!(negotiated(&pair.server).unwrap(), expected);
    }
}

#[test]
fn a_client_can_tell_an_sm_suite_with_a_foreign_group() {
    let ca = ca("root");
    let mixed = international::mixed();
    let client = groups_reversed(&mixed);
    // This server does not choose its certificate by the hello.
    let pair = Pair::new(
        client_config(&client, &roots(&ca), None),
        server_config(&mixed, None, issue(&ca, &server_leaf())),
    )
    .handshake();
    assert!(matches!(
        negotiated(&pair.client),
        Err(tls13::Error::NotConforming {
            suite: TLS_SM4_GCM_SM3,
            group: NamedGroup::secp256r1,
        })
    ));
}

#[test]
fn international_suites_and_groups() {
    let (root, server) = international::p256_server();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root).unwrap();
    let roots = Arc::new(roots);
    for suite in 0..2 {
        for group in 0..2 {
            let mut provider = international::international();
            provider.cipher_suites = vec![provider.cipher_suites[suite]];
            provider.kx_groups = vec![provider.kx_groups[group]];
            let (suite, group) = (provider.cipher_suites[0], provider.kx_groups[0].name());
            let pair = Pair::new(
                client_config(&Arc::new(provider), &roots, None),
                server_config(&international::mixed(), None, server.clone()),
            )
            .handshake();
            assert_eq!(pair.server.negotiated_cipher_suite(), Some(suite));
            let negotiated = pair.server.negotiated_key_exchange_group().unwrap();
            assert_eq!(negotiated.name(), group);
        }
    }
}

fn groups_reversed(provider: &Arc<CryptoProvider>) -> Arc<CryptoProvider> {
    let mut provider = (**provider).clone();
    provider.kx_groups.reverse();
    Arc::new(provider)
}
