//! Handshakes on tokio with keys that take their time, or fail: no worker of the runtime waits for
//! a signature, every failure reaches both ends, and nothing takes longer than it may.
#![cfg(all(feature = "tokio", feature = "international", feature = "pkcs11"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(missing_docs, unreachable_pub)]

#[path = "../common/mod.rs"]
mod common;
mod ends;
mod gate;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ends::{
    Accepted, Connected, Ends, assert_alerted, echo, name, on_both_runtimes, shake_hands, tls_error,
};
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, HandshakeKind, NamedGroup};
use shangmi::hsm::pkcs11::{TokenKey, Uri};
use shangmi::hsm::{self, Ckr};
use shangmi::sm2::SignDigest;
use shangmi::tls13::tokio::{Acceptor, Connector};
use shangmi::tls13::{self, Choice, Negotiated, negotiated};
use shangmi_testtoken::{TestToken, module_path};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

#[test]
fn mutual_handshake_over_tcp() {
    on_both_runtimes(|| async {
        let ends = Ends::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = (ends.connector(), ends.acceptor());
        let serving = tokio::spawn(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut stream = server.accept(tcp).await.unwrap();
            assert_eq!(stream.get_ref().1.peer_certificates().unwrap().len(), 1);
            let mut question = [0; 8];
            stream.read_exact(&mut question).await.unwrap();
            stream.write_all(&question).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        let tcp = TcpStream::connect(address).await.unwrap();
        let mut stream = client.connect(name(), tcp).await.unwrap();
        assert_eq!(negotiated(stream.get_ref().1).unwrap(), Negotiated::Sm);
        stream.write_all(b"question").await.unwrap();
        stream.flush().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"question");
        serving.await.unwrap();
    });
}

/// The gates open when the runtime's only worker has seen a signer wait there, so each handshake
/// ends well only if the worker is free in the meantime.
#[test]
fn signatures_leave_the_worker_free() {
    let retry = ends::provider_to_retry();
    for (provider, kind) in [
        (common::strict(), HandshakeKind::Full),
        (retry, HandshakeKind::FullWithHelloRetryRequest),
    ] {
        on_both_runtimes(|| async {
            let ends = Ends::closed_for(ends::PATIENCE, &provider);
            let watching = async {
                for gate in [&ends.server_gate, &ends.client_gate] {
                    gate.reached_by(1).await;
                    gate.open();
                }
            };
            let ((client, server), ()) = tokio::join!(ends.shake_hands(), watching);
            let (mut client, mut server) = (client.unwrap(), server.unwrap());
            assert_eq!(client.get_ref().1.handshake_kind(), Some(kind));
            assert_eq!(server.get_ref().1.handshake_kind(), Some(kind));
            echo(&mut client, &mut server).await;
        });
    }
}

/// What the test above would see without our types.
#[test]
fn tokio_rustls_alone_blocks_the_worker() {
    on_both_runtimes(|| async {
        let ends = Ends::closed_for(Duration::from_millis(300), &common::strict());
        let (near, far) = duplex(64 * 1024);
        let acceptor = TlsAcceptor::from(Arc::new(ends.server.clone()));
        let connector = ends.connector();
        let watching = async {
            ends.server_gate.reached_by(1).await;
            ends.server_gate.open();
        };
        let (accepted, _, _) = tokio::join!(
            acceptor.accept(far),
            connector.connect(name(), near),
            tokio::time::timeout(Duration::from_secs(1), watching)
        );
        let expected = rustls::Error::General("the gate stayed closed".into());
        assert_eq!(tls_error(accepted), expected);
    });
}

#[test]
fn server_key_that_fails_is_an_internal_error_for_the_client() {
    for provider in [common::strict(), ends::provider_to_retry()] {
        on_both_runtimes(|| async {
            let ends = Ends::closed_for(Duration::ZERO, &provider);
            let (client, server) = ends.shake_hands().await;
            let expected = rustls::Error::General("the gate stayed closed".into());
            assert_eq!(tls_error(server), expected);
            assert_alerted(client, AlertDescription::InternalError);
        });
    }
}

#[test]
fn client_key_that_fails_is_an_internal_error_for_the_server() {
    for provider in [common::strict(), ends::provider_to_retry()] {
        on_both_runtimes(|| async {
            let ends = Ends::closed_for(Duration::ZERO, &provider);
            ends.server_gate.open();
            let (client, server) = ends.shake_hands().await;
            let expected = rustls::Error::General("the gate stayed closed".into());
            assert_eq!(tls_error(client), expected);
            assert_alerted(server, AlertDescription::InternalError);
        });
    }
}

#[test]
fn error_of_the_token_comes_out_and_the_next_handshake_is_served() {
    const PIN: &str = "12345678";
    let token = TestToken::create("tokio", PIN).unwrap();
    token.generate_sm2("key", &[1]).unwrap();
    let uri: Uri = format!(
        "pkcs11:token=tokio?module-path={}&pin-value={PIN}",
        module_path().unwrap().display()
    )
    .parse()
    .unwrap();
    let key = TokenKey::open(&uri, None).unwrap();
    let ca = common::ca("CA");
    let certificate = ca
        .issue(&common::server_leaf(), key.sm2().unwrap().public_key())
        .unwrap();
    let own = tls13::certified_key(vec![certificate.to_der().into()], Arc::new(key)).unwrap();
    let mut client = common::client_config(&common::strict(), &common::roots(&ca), None);
    client.resumption = Resumption::disabled();
    let connector = Connector::from(Arc::new(client));
    let acceptor = Acceptor::from(Arc::new(common::server_config(
        &common::strict(),
        None,
        own,
    )));

    on_both_runtimes(|| async {
        token.behave("sign=device-error").unwrap();
        let (client, server) = shake_hands(&connector, &acceptor).await;
        assert_alerted(client, AlertDescription::InternalError);
        let rustls::Error::Other(error) = tls_error(server) else {
            panic!("not an error of ours")
        };
        match error.0.downcast_ref() {
            Some(hsm::Error::Call { function, code }) => {
                assert_eq!((*function, *code), ("C_Sign", Ckr::DEVICE_ERROR));
            }
            other => panic!("{other:?}"),
        }

        token.behave("").unwrap();
        let (client, server) = shake_hands(&connector, &acceptor).await;
        echo(&mut client.unwrap(), &mut server.unwrap()).await;
    });
}

#[test]
fn alerts_of_rustls_reach_the_peer() {
    on_both_runtimes(|| async {
        // To the first hello: nothing in common.
        let ends = Ends::new();
        let mut provider = tls13::mixed();
        provider.cipher_suites.drain(..2);
        let (roots, provider) = (common::roots(&common::ca("CA")), Arc::new(provider));
        let stranger = common::client_config(&provider, &roots, None);
        let stranger = Connector::from(Arc::new(stranger));
        let (client, server) = shake_hands(&stranger, &ends.acceptor()).await;
        assert!(matches!(
            tls_error(server),
            rustls::Error::PeerIncompatible(_)
        ));
        assert_alerted(client, AlertDescription::HandshakeFailure);

        // To the client's certificate, of another authority. In TLS 1.3 the client is ready by then.
        let (ends, other) = (Ends::new(), Ends::new());
        let trusting = Connector::from(Arc::new({
            let mut config = ends.client.clone();
            config.client_auth_cert_resolver = other.client.client_auth_cert_resolver.clone();
            config
        }));
        let (client, server) = shake_hands(&trusting, &ends.acceptor()).await;
        assert!(matches!(
            tls_error(server),
            rustls::Error::InvalidCertificate(_)
        ));
        let read = client.unwrap().read_u8().await;
        assert_alerted(read, AlertDescription::DecryptError);

        // To the server's certificate.
        let (client, server) = shake_hands(&other.connector(), &ends.acceptor()).await;
        assert!(matches!(
            tls_error(client),
            rustls::Error::InvalidCertificate(_)
        ));
        assert_alerted(server, AlertDescription::DecryptError);
    });
}

#[test]
fn handshake_ends_in_time() {
    const SHORT: Duration = Duration::from_millis(50);
    on_both_runtimes(|| async {
        // The peer says nothing.
        let ends = Ends::closed();
        let (_silent, far) = duplex(64 * 1024);
        let late = ends.acceptor().handshake_timeout(SHORT).accept(far).await;
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let (near, _silent) = duplex(64 * 1024);
        let hasty = ends.connector().handshake_timeout(SHORT);
        let late = hasty.connect(name(), near).await;
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);

        // The key does not sign.
        let hasty = ends.acceptor().handshake_timeout(SHORT);
        let (client, server) = shake_hands(&ends.connector(), &hasty).await;
        assert_eq!(server.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(client.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        ends.server_gate.open();
        let hasty = ends.connector().handshake_timeout(SHORT);
        let (client, server) = shake_hands(&hasty, &ends.acceptor()).await;
        assert_eq!(client.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(server.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        ends.client_gate.open();
    });
}

#[test]
fn so_many_signatures_at_once_and_no_more() {
    on_both_runtimes(|| async {
        let ends = Ends::closed();
        ends.client_gate.open();
        let acceptor = ends.acceptor().signatures_at_once(2);
        let handshakes: Vec<_> = (0..6)
            .map(|_| {
                let (connector, acceptor) = (ends.connector(), acceptor.clone());
                tokio::spawn(async move { shake_hands(&connector, &acceptor).await })
            })
            .collect();
        ends.server_gate.reached_by(2).await;
        ends.server_gate.open();
        for handshake in handshakes {
            let (client, server) = handshake.await.unwrap();
            echo(&mut client.unwrap(), &mut server.unwrap()).await;
        }
        assert_eq!(ends.server_gate.most_inside(), 2);
        assert_eq!(ends.server_gate.signatures(), 6);
    });
}

#[test]
fn dropped_handshake_gives_its_place_back_when_its_signature_ends() {
    on_both_runtimes(|| async {
        let ends = Ends::closed();
        ends.client_gate.open();
        let acceptor = ends.acceptor().signatures_at_once(1);
        let connector = ends.connector();
        tokio::select! {
            _ = shake_hands(&connector, &acceptor) => panic!("nobody may pass"),
            () = ends.server_gate.reached_by(1) => {}
        }
        let mut next = Box::pin(shake_hands(&connector, &acceptor));
        let waiting = tokio::time::timeout(Duration::from_millis(50), &mut next).await;
        assert!(waiting.is_err());
        ends.server_gate.open();
        let (client, server) = next.await;
        echo(&mut client.unwrap(), &mut server.unwrap()).await;
        assert_eq!(ends.server_gate.most_inside(), 1);
    });
}

#[test]
fn resumption_signs_nothing_and_takes_one_ticket_a_connection() {
    on_both_runtimes(|| async {
        let mut ends = Ends::new();
        ends.server.ticketer = tls13::ticketer().unwrap();
        let tickets = Arc::new(CountedTickets::default());
        ends.client.resumption = Resumption::store(tickets.clone());
        for connection in 0..3 {
            let (client, server) = ends.shake_hands().await;
            let (mut client, mut server) = (client.unwrap(), server.unwrap());
            // The tickets come with the answer.
            echo(&mut client, &mut server).await;
            let expected = match connection {
                0 => HandshakeKind::Full,
                _ => HandshakeKind::Resumed,
            };
            assert_eq!(client.get_ref().1.handshake_kind(), Some(expected));
            assert!(server.get_ref().1.peer_certificates().is_some());
            assert_eq!(tickets.asked_for.load(Ordering::SeqCst), connection + 1);
        }
        assert_eq!(ends.server_gate.signatures(), 1);
        assert_eq!(ends.client_gate.signatures(), 1);
    });
}

#[test]
fn serves_both_worlds_by_hello() {
    let (root, p256) = common::international::p256_server();
    let mixed = common::international::mixed();
    let other = Arc::new(common::server_config(&mixed, None, p256));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root).unwrap();
    let foreign = Arc::new(common::international::international());
    let foreign = common::client_config(&foreign, &Arc::new(roots), None);

    on_both_runtimes(|| async {
        let ends = Ends::new();
        let choice = Choice::new(Arc::new(ends.server.clone()), other.clone());
        let acceptor = Acceptor::from(choice);
        for (client, expected) in [
            (&ends.client, Negotiated::Sm),
            (&foreign, Negotiated::International),
        ] {
            let connector = Connector::from(Arc::new(client.clone()));
            let (client, server) = shake_hands(&connector, &acceptor).await;
            let (mut client, mut server) = (client.unwrap(), server.unwrap());
            assert_eq!(negotiated(server.get_ref().1).unwrap(), expected);
            echo(&mut client, &mut server).await;
        }
    });
}

/// Both types speak with those of tokio-rustls, a few bytes at a time.
#[test]
fn small_reads_and_a_stock_peer() {
    on_both_runtimes(|| async {
        let ends = Ends::new();
        let stock = TlsConnector::from(Arc::new(ends.client.clone()));
        let acceptor = ends.acceptor();
        let (near, far) = duplex(7);
        tokio::join!(
            async { hears(stock.connect(name(), near).await).await },
            async { says(acceptor.accept(far).await).await }
        );

        let stock = TlsAcceptor::from(Arc::new(ends.server.clone()));
        let connector = ends.connector();
        let (near, far) = duplex(7);
        tokio::join!(
            async { hears(connector.connect(name(), near).await).await },
            async { says(stock.accept(far).await).await }
        );
    });
}

async fn says(server: Accepted) {
    let mut server = server.unwrap();
    server.write_all(b"word").await.unwrap();
    server.flush().await.unwrap();
}

async fn hears(client: Connected) {
    let mut word = [0; 4];
    client.unwrap().read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"word");
}

#[derive(Debug)]
struct CountedTickets {
    store: ClientSessionMemoryCache,
    asked_for: AtomicUsize,
}

impl Default for CountedTickets {
    fn default() -> Self {
        Self {
            store: ClientSessionMemoryCache::new(8),
            asked_for: AtomicUsize::new(0),
        }
    }
}

impl ClientSessionStore for CountedTickets {
    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        self.store.set_kx_hint(server_name, group);
    }

    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        self.store.kx_hint(server_name)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.store.insert_tls13_ticket(name, ticket);
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.asked_for.fetch_add(1, Ordering::SeqCst);
        self.store.take_tls13_ticket(name)
    }
}
