//! One process serves SM and international clients, with `mixed()` and with `layered(aws_lc_rs)`; and
//! a client with either meets servers of both worlds.

#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::server::{Accepted, Acceptor};
use rustls::sign::SingleCertAndKey;
use rustls::{CipherSuite, ClientConfig, ClientConnection, Connection, ServerConfig};
use shangmi::tls13::{
    self, CURVE_SM2, CertificateByHello, Choice, TLS_SM4_CCM_SM3, TLS_SM4_GCM_SM3,
};
use shangmi_interop::chain::{self, HOST, Kind};
use shangmi_interop::meeting::{self, Meeting, Ours};
use shangmi_interop::ours::{self, Handshake, Outcome, Step};
use shangmi_interop::peer::{self, Peer};
use shangmi_interop::stack::Stack;

const CLIENT_SCRIPT: [Step; 3] = [Step::Send(1000), Step::Receive(1000), Step::Close];
const SERVER_SCRIPT: [Step; 3] = [Step::Receive(1000), Step::Send(1000), Step::AwaitClose];

#[test]
fn mixed_serves_both() {
    let worlds = Worlds::new("mixed-server");
    let config = worlds.two_certificates(tls13::mixed());
    worlds.send_clients(|_| config.clone());
}

#[test]
fn layered_serves_both() {
    let worlds = Worlds::new("layered-server");
    let config = worlds.two_certificates(tls13::layered(aws_lc_rs::default_provider()));
    worlds.send_clients(|_| config.clone());
}

#[test]
fn two_configurations_on_one_port_serve_both() {
    let worlds = Worlds::new("choice-server");
    let sm = ours::server_config(&Arc::new(tls13::strict()), &worlds.sm, None).unwrap();
    let choice = Choice::new(Arc::new(sm), worlds.international());
    worlds.send_clients(|hello| choice.config_for(&hello.client_hello()));
}

#[test]
fn one_client_meets_both() {
    let worlds = Worlds::new("client");
    for provider in [
        tls13::mixed(),
        tls13::layered(aws_lc_rs::default_provider()),
    ] {
        let mut roots = ours::root_store(&worlds.sm).unwrap();
        roots
            .roots
            .extend(ours::root_store(&worlds.p256).unwrap().roots);
        let provider = Arc::new(provider);
        let verifier = tls13::server_verifier(roots, &provider).unwrap();
        let builder = tls13::client_config(provider, verifier).unwrap();
        let client = Ours::Client(Arc::new(builder.with_no_client_auth()));

        for stack in Stack::ALL {
            let sm = Meeting::new(stack, client.clone())
                .peer_is(&worlds.sm)
                .peer(&["--ciphersuites", "TLS_SM4_GCM_SM3", "--groups", "curveSM2"])
                .run()
                .unwrap();
            sm.succeeded().unwrap();
            sm.peer_saw("cipher", &["TLS_SM4_GCM_SM3"]).unwrap();
            sm.peer_saw("group", &["curveSM2"]).unwrap();
            sm.peer_saw("sigalg", &["sm2sig_sm3"]).unwrap();
            sm.we_saw("conforming", |seen| seen.conforming, &[true])
                .unwrap();

            let other = Meeting::new(stack, client.clone())
                .peer_is(&worlds.p256)
                .peer(&[
                    "--ciphersuites",
                    "TLS_AES_128_GCM_SHA256",
                    "--groups",
                    "P-256",
                ])
                .run()
                .unwrap();
            other.succeeded().unwrap();
            other
                .peer_saw("cipher", &["TLS_AES_128_GCM_SHA256"])
                .unwrap();
            other
                .peer_saw("sigalg", &["ecdsa_secp256r1_sha256"])
                .unwrap();
        }
    }
}

/// OpenSSL puts an SM suite together with any group; a client that could live with that is told.
#[test]
fn a_client_notices_what_does_not_conform() {
    let worlds = Worlds::new("nonconforming");
    let config = ours::client_config(&Arc::new(tls13::mixed()), &worlds.sm, None).unwrap();
    let met = Meeting::new(Stack::OpenSsl, Ours::Client(Arc::new(config)))
        .peer_is(&worlds.sm)
        .peer(&["--ciphersuites", "TLS_SM4_GCM_SM3", "--groups", "X25519"])
        .run()
        .unwrap();
    met.succeeded().unwrap();
    met.peer_saw("cipher", &["TLS_SM4_GCM_SM3"]).unwrap();
    met.we_saw("conforming", |seen| seen.conforming, &[false])
        .unwrap();
}

/// Certificates of both worlds: SM2 made by us, P-256 made by OpenSSL.
struct Worlds {
    sm: PathBuf,
    p256: PathBuf,
}

impl Worlds {
    fn new(name: &str) -> Self {
        // Building a stack takes minutes, longer than a server waits for its client.
        for stack in Stack::ALL {
            stack.peer().unwrap();
        }
        let p256 = chain::scratch(&format!("both/{name}/p256")).unwrap();
        peer::make_chain(Stack::OpenSsl, &p256, &["--kind", "p256"]).unwrap();
        Self {
            sm: chain::make(&format!("both/{name}/sm"), Kind::Plain).unwrap(),
            p256,
        }
    }

    /// One configuration that holds both certificates.
    fn two_certificates(&self, provider: CryptoProvider) -> Arc<ServerConfig> {
        let provider = Arc::new(provider);
        let sm = ours::certified_key(&provider, &self.sm, "server").unwrap();
        let p256 = ours::certified_key(&provider, &self.p256, "server").unwrap();
        let other = Arc::new(SingleCertAndKey::from(p256));
        let resolver = CertificateByHello::new(sm, other, &provider);
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        Arc::new(config)
    }

    /// Only the P-256 certificate, on aws-lc-rs alone.
    fn international(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        Arc::new(ours::server_config(&provider, &self.p256, None).unwrap())
    }

    /// Clients of both worlds, by three implementations, one after the other to the same port.
    fn send_clients(&self, choose: impl Fn(&Accepted) -> Arc<ServerConfig> + Sync) {
        const GCM: &str = "TLS_SM4_GCM_SM3";
        const AES: &str = "TLS_AES_256_GCM_SHA384";

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let meet = |client: &dyn Fn()| -> Handshake {
            thread::scope(|scope| {
                let server = scope.spawn(|| serve_one(&listener, &choose));
                client();
                let outcome = server.join().unwrap();
                outcome.result.unwrap();
                outcome.handshake.unwrap()
            })
        };
        let foreign = |stack: Stack, ca: &PathBuf, options: &[&str]| {
            let ca = ca.join("ca.pem").to_string_lossy().into_owned();
            let defaults = [
                "--host",
                HOST,
                "--ca",
                &ca,
                "--do",
                "send=1000,recv=1000,close",
            ];
            let report = Peer::client(stack, port, &[&defaults, options].concat());
            let report = report.unwrap().finish().unwrap();
            assert!(report.succeeded(), "{report}");
        };

        for stack in Stack::ALL {
            let options = ["--ciphersuites", AES, "--groups", "P-256"];
            let seen = meet(&|| foreign(stack, &self.p256, &options));
            assert_eq!(
                seen.suite,
                Some(CipherSuite::TLS13_AES_256_GCM_SHA384),
                "{stack}"
            );

            let options = ["--ciphersuites", GCM, "--groups", "curveSM2"];
            let seen = meet(&|| foreign(stack, &self.sm, &options));
            assert_sm(&seen, TLS_SM4_GCM_SM3);

            // A client of both worlds that prefers ours.
            let both = [GCM, AES].join(":");
            let options = ["--ciphersuites", &both, "--groups", "curveSM2:P-256"];
            let seen = meet(&|| foreign(stack, &self.sm, &options));
            assert_sm(&seen, TLS_SM4_GCM_SM3);
        }
        let strict = [
            "--ciphersuites",
            "TLS_SM4_CCM_SM3",
            "--groups",
            "curveSM2",
            "--strict",
        ];
        let seen = meet(&|| foreign(Stack::Tongsuo, &self.sm, &strict));
        assert_sm(&seen, TLS_SM4_CCM_SM3);

        let aws_lc_rs =
            ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(ours::root_store(&self.p256).unwrap())
                .with_no_client_auth();
        let aws_lc_rs = Arc::new(aws_lc_rs);
        let seen = meet(&|| connect(port, &aws_lc_rs));
        assert_eq!(seen.suite, Some(CipherSuite::TLS13_AES_256_GCM_SHA384));

        let strict = Arc::new(tls13::strict());
        let strict = Arc::new(ours::client_config(&strict, &self.sm, None).unwrap());
        let seen = meet(&|| connect(port, &strict));
        assert_sm(&seen, TLS_SM4_GCM_SM3);
    }
}

fn assert_sm(seen: &Handshake, suite: CipherSuite) {
    assert_eq!(seen.suite, Some(suite));
    assert_eq!(seen.group, Some(CURVE_SM2));
    assert!(seen.conforming);
}

fn serve_one(listener: &TcpListener, choose: &impl Fn(&Accepted) -> Arc<ServerConfig>) -> Outcome {
    let mut socket = meeting::accept(listener).unwrap().unwrap();
    let mut acceptor = Acceptor::default();
    let accepted = loop {
        let read = acceptor.read_tls(&mut socket).unwrap();
        assert_ne!(read, 0, "the client left before its hello was complete");
        if let Some(accepted) = acceptor.accept().map_err(|(error, _)| error).unwrap() {
            break accepted;
        }
    };
    let config = choose(&accepted);
    let connection = accepted
        .into_connection(config)
        .map_err(|(error, _)| error)
        .unwrap();
    ours::run(Connection::Server(connection), socket, &SERVER_SCRIPT)
}

fn connect(port: u16, config: &Arc<ClientConfig>) {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let name = ServerName::try_from(HOST).unwrap();
    let connection = ClientConnection::new(config.clone(), name).unwrap();
    let outcome = ours::run(Connection::Client(connection), socket, &CLIENT_SCRIPT);
    outcome.result.unwrap();
}
