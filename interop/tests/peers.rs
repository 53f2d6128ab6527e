//! The two foreign stacks speak RFC 8998 to each other through our driver, and refuse what they must:
//! the harness that judges us reports what really happened.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use shangmi_interop::chain::scratch as scratch_dir;
use shangmi_interop::peer::{self, Peer, Report};
use shangmi_interop::stack::Stack;

#[test]
fn each_reports_its_version() {
    let openssl = peer::version(Stack::OpenSsl).unwrap();
    assert!(openssl.starts_with("OpenSSL 4.0."), "{openssl}");
    let tongsuo = peer::version(Stack::Tongsuo).unwrap();
    assert!(tongsuo.starts_with("Tongsuo 8.5."), "{tongsuo}");
}

#[test]
fn mutual_authentication_both_ways() {
    for (client, server) in PAIRS {
        for suite in ["TLS_SM4_GCM_SM3", "TLS_SM4_CCM_SM3"] {
            let (client, server) = Scene::new(client, server, "mutual")
                .both(&["--ciphersuites", suite, "--alpn", "sm,h2"])
                .server(&["--verify", "--do", "recv=70000,send=70000,wait-close"])
                .client(&["--do", "send=70000,recv=70000,close"])
                .run();
            assert!(client.succeeded() && server.succeeded(), "{client}{server}");
            for (report, own_cn) in [(&client, "interop server"), (&server, "interop client")] {
                let handshake = report.first("handshake").unwrap();
                for (key, value) in [
                    ("version", "TLSv1.3"),
                    ("cipher", suite),
                    ("group", "curveSM2"),
                    ("sni", "localhost"),
                    ("alpn", "sm"),
                    ("resumed", "0"),
                    ("retry", "0"),
                    ("verify", "0"),
                    ("peer_cn", &own_cn.replace(' ', "_")),
                ] {
                    assert_eq!(handshake.value(key), Some(value), "{key}: {report}");
                }
                let signature = handshake.value("peer_sigalg").unwrap();
                assert!(signature.to_lowercase().contains("sm2"), "{report}");
            }
            for (sent, received) in [(&client, &server), (&server, &client)] {
                let sent = sent.first("sent").unwrap();
                let received = received.first("received").unwrap();
                assert_eq!(sent.value("bytes"), Some("70000"));
                assert_eq!(sent.value("sm3"), received.value("sm3"));
            }
        }
    }
}

#[test]
fn hello_retry_request_is_seen() {
    for (client, server) in PAIRS {
        let (client, server) = Scene::new(client, server, "retry")
            .both(&["--ciphersuites", "TLS_SM4_GCM_SM3"])
            .client(&["--groups", "P-256:curveSM2"])
            .server(&["--do", "wait-close"])
            .run();
        assert!(client.succeeded() && server.succeeded(), "{client}{server}");
        for report in [client, server] {
            let handshake = report.first("handshake").unwrap();
            assert_eq!(handshake.value("retry"), Some("1"), "{report}");
            assert_eq!(handshake.value("group"), Some("curveSM2"), "{report}");
        }
    }
}

#[test]
fn a_ticket_resumes_the_second_connection() {
    for (client, server) in PAIRS {
        let (client, server) = Scene::new(client, server, "resumption")
            .both(&["--ciphersuites", "TLS_SM4_GCM_SM3", "--connections", "2"])
            .server(&["--do", "send=1,wait-close"])
            .client(&["--resume", "--do", "recv=1,close"])
            .run();
        assert!(client.succeeded() && server.succeeded(), "{client}{server}");
        for report in [client, server] {
            let resumed: Vec<_> = report
                .all("handshake")
                .filter_map(|event| event.value("resumed"))
                .collect();
            assert_eq!(resumed, ["0", "1"], "{report}");
        }
    }
}

#[test]
fn key_updates_are_seen() {
    for (client, server) in PAIRS {
        let (client, server) = Scene::new(client, server, "update")
            .both(&["--ciphersuites", "TLS_SM4_GCM_SM3"])
            .server(&["--do", "recv=10,send=10,update,send=10,wait-close"])
            .client(&["--do", "update-request,send=10,recv=10,recv=10,close"])
            .run();
        assert!(client.succeeded() && server.succeeded(), "{client}{server}");
        // The client's request, the server's answer to it, then the server's own.
        let server: Vec<_> = server.all("key_update").map(|e| e.text.clone()).collect();
        assert_eq!(
            server,
            ["read request=1", "write request=0", "write request=0"]
        );
        let client: Vec<_> = client.all("key_update").map(|e| e.text.clone()).collect();
        assert_eq!(
            client,
            ["write request=1", "read request=0", "read request=0"]
        );
    }
}

#[test]
fn refusals_are_seen_with_their_alert() {
    const UNKNOWN_CA: u8 = 48;
    const CERTIFICATE_REQUIRED: u8 = 116;
    const HANDSHAKE_FAILURE: u8 = 40;

    for (client, server) in PAIRS {
        let sm = ["--ciphersuites", "TLS_SM4_GCM_SM3"];

        let other = chain(client, "other");
        let (c, s) = Scene::new(client, server, "refusal")
            .both(&sm)
            .client(&["--ca", &path(&other, "ca.pem")])
            .run();
        assert_eq!(c.alert_written(), Some(UNKNOWN_CA), "{c}");
        assert_eq!(s.alert_read(), Some(UNKNOWN_CA), "{s}");
        assert!(!c.succeeded() && !s.succeeded());

        let (c, s) = Scene::new(client, server, "refusal")
            .anonymous()
            .both(&sm)
            .server(&["--verify"])
            .client(&["--do", "recv=1"])
            .run();
        assert_eq!(c.alert_read(), Some(CERTIFICATE_REQUIRED), "{c}");
        assert_eq!(s.alert_written(), Some(CERTIFICATE_REQUIRED), "{s}");
        assert!(!c.succeeded() && !s.succeeded());

        let (c, s) = Scene::new(client, server, "refusal")
            .client(&["--ciphersuites", "TLS_AES_128_GCM_SHA256"])
            .server(&sm)
            .run();
        assert_eq!(c.alert_read(), Some(HANDSHAKE_FAILURE), "{c}");
        assert!(!c.succeeded() && !s.succeeded());
    }
}

#[test]
fn another_signer_id_is_refused() {
    const DECRYPT_ERROR: u8 = 51;

    for (client, server) in PAIRS {
        let dir = scratch("another-id", server);
        peer::make_chain(server, &dir, &["--id", "another signer"]).unwrap();
        let (c, s) = Scene::with_chain(client, server, &dir)
            .both(&["--ciphersuites", "TLS_SM4_GCM_SM3"])
            .run();
        assert_eq!(s.alert_read(), Some(DECRYPT_ERROR), "{c}{s}");
        assert!(!c.succeeded() && !s.succeeded());
    }
}

/// Client, then server.
const PAIRS: [(Stack, Stack); 2] = [
    (Stack::OpenSsl, Stack::Tongsuo),
    (Stack::Tongsuo, Stack::OpenSsl),
];

/// One run of a client against a server, with certificates that the server's stack made.
struct Scene {
    stacks: (Stack, Stack),
    chain: PathBuf,
    anonymous: bool,
    client: Vec<String>,
    server: Vec<String>,
}

impl Scene {
    fn new(client: Stack, server: Stack, name: &str) -> Self {
        Self::with_chain(client, server, &chain(server, name))
    }

    fn with_chain(client: Stack, server: Stack, chain: &Path) -> Self {
        Self {
            stacks: (client, server),
            chain: chain.into(),
            anonymous: false,
            client: Vec::new(),
            server: Vec::new(),
        }
        .both(&["--groups", "curveSM2", "--ca", &path(chain, "ca.pem")])
        .client(&["--host", "localhost"])
    }

    /// The client has no certificate.
    fn anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    fn both(self, options: &[&str]) -> Self {
        self.client(options).server(options)
    }

    fn client(mut self, options: &[&str]) -> Self {
        self.client.extend(options.iter().map(|&o| o.into()));
        self
    }

    fn server(mut self, options: &[&str]) -> Self {
        self.server.extend(options.iter().map(|&o| o.into()));
        self
    }

    fn run(mut self) -> (Report, Report) {
        let identity = |name: &str| {
            let chain = path(&self.chain, &format!("{name}.pem"));
            let key = path(&self.chain, &format!("{name}.key"));
            ["--chain".into(), chain, "--key".into(), key]
        };
        self.server.extend(identity("server"));
        if !self.anonymous {
            self.client.extend(identity("client"));
        }
        let (server, port) = Peer::server(self.stacks.1, &strs(&self.server)).unwrap();
        let client = Peer::client(self.stacks.0, port, &strs(&self.client)).unwrap();
        (client.finish().unwrap(), server.finish().unwrap())
    }
}

fn strs(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

fn chain(maker: Stack, name: &str) -> PathBuf {
    let dir = scratch(name, maker);
    peer::make_chain(maker, &dir, &[]).unwrap();
    dir
}

/// A directory of this test alone: tests run in parallel.
fn scratch(name: &str, stack: Stack) -> PathBuf {
    scratch_dir(&format!("peers/{name}-{stack}")).unwrap()
}

fn path(dir: &Path, file: &str) -> String {
    dir.join(file).to_string_lossy().into_owned()
}
