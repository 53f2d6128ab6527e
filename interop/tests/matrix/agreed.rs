//! What both ends must agree on.

use std::sync::Arc;

use rustls::HandshakeKind;
use shangmi::tls13::{self, CURVE_SM2, TLS_SM4_CCM_SM3, TLS_SM4_GCM_SM3};
use shangmi_interop::chain::HOST;
use shangmi_interop::meeting::{Meeting, Met};
use shangmi_interop::ours::{self, Step};

use crate::bench::{Bench, CCM, GCM, Result, Role};
use crate::{BOTH, Feature};

pub(crate) const FEATURES: [Feature; 16] = [
    Feature {
        name: "gcm/server-auth",
        title: "TLS_SM4_GCM_SM3, server authentication",
        roles: BOTH,
        check: |bench, role| server_auth(bench, role, GCM),
    },
    Feature {
        name: "gcm/mutual",
        title: "TLS_SM4_GCM_SM3, mutual authentication",
        roles: BOTH,
        check: |bench, role| mutual(bench, role, GCM),
    },
    Feature {
        name: "ccm/server-auth",
        title: "TLS_SM4_CCM_SM3, server authentication",
        roles: BOTH,
        check: |bench, role| server_auth(bench, role, CCM),
    },
    Feature {
        name: "ccm/mutual",
        title: "TLS_SM4_CCM_SM3, mutual authentication",
        roles: BOTH,
        check: |bench, role| mutual(bench, role, CCM),
    },
    Feature {
        name: "foreign-chain",
        title: "Mutual, the peer's certificates made by the peer",
        roles: BOTH,
        check: foreign_chain,
    },
    Feature {
        name: "intermediate-ca",
        title: "Mutual, with intermediate CAs",
        roles: BOTH,
        check: intermediate,
    },
    Feature {
        name: "resumption/gcm",
        title: "PSK resumption, TLS_SM4_GCM_SM3",
        roles: BOTH,
        check: |bench, role| resumption(bench, role, GCM),
    },
    Feature {
        name: "resumption/ccm",
        title: "PSK resumption, TLS_SM4_CCM_SM3",
        roles: BOTH,
        check: |bench, role| resumption(bench, role, CCM),
    },
    Feature {
        name: "hello-retry-request",
        title: "HelloRetryRequest to curveSM2",
        roles: BOTH,
        check: hello_retry_request,
    },
    Feature {
        name: "default-groups",
        title: "The peer's default groups",
        roles: BOTH,
        check: default_groups,
    },
    Feature {
        name: "key-update/ours",
        title: "KeyUpdate from us, answered by the peer",
        roles: BOTH,
        check: our_key_update,
    },
    Feature {
        name: "key-update/peer",
        title: "KeyUpdate from the peer, with and without a request for ours",
        roles: BOTH,
        check: peer_key_update,
    },
    Feature {
        name: "4-mib/gcm",
        title: "4 MiB each way, TLS_SM4_GCM_SM3",
        roles: BOTH,
        check: |bench, role| bulk(bench, role, GCM),
    },
    Feature {
        name: "4-mib/ccm",
        title: "4 MiB each way, TLS_SM4_CCM_SM3",
        roles: BOTH,
        check: |bench, role| bulk(bench, role, CCM),
    },
    Feature {
        name: "sni",
        title: "SNI",
        roles: BOTH,
        check: sni,
    },
    Feature {
        name: "alpn",
        title: "ALPN",
        roles: BOTH,
        check: alpn,
    },
];

fn server_auth(bench: &Bench, role: Role, suite: &str) -> Result {
    let met = bench
        .server_auth(role, &bench.good)?
        .peer(&["--ciphersuites", suite])
        .run()?;
    negotiated(&met, suite, 1)?;
    let shown = if role == Role::Client { 1 } else { 0 };
    met.we_saw("certificates", |seen| seen.peer_certificates, &[shown])?;
    signed(&met, role == Role::Server, role == Role::Client)
}

fn mutual(bench: &Bench, role: Role, suite: &str) -> Result {
    let met = bench
        .mutual(role, &bench.good, &bench.good)?
        .peer(&["--ciphersuites", suite])
        .run()?;
    negotiated(&met, suite, 1)?;
    met.we_saw("certificates", |seen| seen.peer_certificates, &[1])?;
    let our_name = if role == Role::Client {
        "interop_client"
    } else {
        HOST
    };
    met.peer_saw("peer_cn", &[our_name])?;
    signed(&met, true, true)
}

fn foreign_chain(bench: &Bench, role: Role) -> Result {
    let met = bench.mutual(role, &bench.good, &bench.foreign)?.run()?;
    negotiated(&met, GCM, 1)?;
    signed(&met, true, true)
}

fn intermediate(bench: &Bench, role: Role) -> Result {
    let met = bench
        .mutual(role, &bench.intermediate, &bench.intermediate)?
        .run()?;
    negotiated(&met, GCM, 1)?;
    met.we_saw("certificates", |seen| seen.peer_certificates, &[2])?;
    Ok(())
}

fn resumption(bench: &Bench, role: Role, suite: &str) -> Result {
    let meeting = bench
        .mutual(role, &bench.good, &bench.good)?
        .peer(&["--ciphersuites", suite])
        .connections(2);
    let met = match role {
        Role::Client => meeting,
        Role::Server => meeting.peer(&["--resume"]),
    }
    .run()?;
    negotiated(&met, suite, 2)?;
    met.peer_saw("resumed", &["0", "1"])?;
    met.we_saw(
        "kind",
        |seen| seen.kind,
        &[Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)],
    )?;
    // The identity of the first connection is the identity of the second.
    met.we_saw("certificates", |seen| seen.peer_certificates, &[1, 1])?;
    Ok(())
}

/// The client's first share is of a group that the server does not take.
fn hello_retry_request(bench: &Bench, role: Role) -> Result {
    let meeting = match role {
        Role::Client => {
            let mut provider = tls13::mixed();
            provider.kx_groups.rotate_left(1);
            let config = ours::client_config(&Arc::new(provider), &bench.good, None)?;
            bench.meeting(config.into())
        }
        // Tongsuo's strict client would send its curveSM2 share at once.
        Role::Server => {
            let meeting = bench.lenient(bench.own(role, &bench.good)?);
            meeting.peer(&["--groups", "P-256:curveSM2"])
        }
    };
    let met = meeting.server_auth(&bench.good).run()?;
    negotiated(&met, GCM, 1)?;
    met.peer_saw("retry", &["1"])?;
    met.we_saw(
        "kind",
        |seen| seen.kind,
        &[Some(HandshakeKind::FullWithHelloRetryRequest)],
    )?;
    Ok(())
}

/// Both peers prefer X25519MLKEM768 by default, even under an SM suite; with us it is curveSM2.
fn default_groups(bench: &Bench, role: Role) -> Result {
    let met = Meeting::new(bench.stack, bench.own(role, &bench.good)?)
        .server_auth(&bench.good)
        .peer(&["--ciphersuites", GCM])
        .run()?;
    negotiated(&met, GCM, 1)
}

fn our_key_update(bench: &Bench, role: Role) -> Result {
    let met = bench
        .server_auth(role, &bench.good)?
        .script(&conversation(role, Step::Update, Step::Update))
        .run()?;
    negotiated(&met, GCM, 1)?;
    let seen: Vec<_> = met
        .peer
        .all("key_update")
        .map(|event| event.text.as_str())
        .collect();
    met.equal(
        "the peer's key updates",
        &seen[..],
        &[
            "read request=1",
            "write request=0",
            "read request=1",
            "write request=0",
        ],
    )?;
    Ok(())
}

fn peer_key_update(bench: &Bench, role: Role) -> Result {
    let met = bench
        .server_auth(role, &bench.good)?
        .script(&conversation(
            role,
            Step::PeerUpdateRequest,
            Step::PeerUpdate,
        ))
        .run()?;
    negotiated(&met, GCM, 1)?;
    let seen: Vec<_> = met
        .peer
        .all("key_update")
        .map(|event| event.text.as_str())
        .collect();
    met.equal(
        "the peer's key updates",
        &seen[..],
        &["write request=1", "read request=0", "write request=0"],
    )?;
    Ok(())
}

/// Data each way before and after each of two updates.
fn conversation(role: Role, first: Step, second: Step) -> Vec<Step> {
    const DATA: [Step; 3] = [Step::Receive(100), Step::Send(100), Step::Receive(100)];
    let (hello, end) = match role {
        Role::Client => ([Step::Send(100), Step::Receive(100)], Step::Close),
        Role::Server => ([Step::Receive(100), Step::Send(100)], Step::AwaitClose),
    };
    [&hello[..], &[first], &DATA, &[second], &DATA, &[end]].concat()
}

fn bulk(bench: &Bench, role: Role, suite: &str) -> Result {
    const SIZE: usize = 4 << 20;
    let script = match role {
        Role::Client => [Step::Send(SIZE), Step::Receive(SIZE), Step::Close],
        Role::Server => [Step::Receive(SIZE), Step::Send(SIZE), Step::AwaitClose],
    };
    let met = bench
        .mutual(role, &bench.good, &bench.good)?
        .peer(&["--ciphersuites", suite])
        .script(&script)
        .run()?;
    negotiated(&met, suite, 1)?;
    let bytes = met.peer.first("received")?.value("bytes");
    met.equal("size", bytes, Some(&*SIZE.to_string()))?;
    Ok(())
}

fn sni(bench: &Bench, role: Role) -> Result {
    let met = bench.server_auth(role, &bench.good)?.run()?;
    negotiated(&met, GCM, 1)?;
    met.peer_saw("sni", &[HOST])?;
    if role == Role::Server {
        met.we_saw("sni", |seen| seen.sni.clone(), &[Some(HOST.into())])?;
    }
    Ok(())
}

/// The server takes the second of two that the client offers.
fn alpn(bench: &Bench, role: Role) -> Result {
    let (own, peers) = match role {
        Role::Client => {
            let mut config = ours::client_config(&bench.strict, &bench.good, None)?;
            config.alpn_protocols = vec![b"sm/1".into(), b"h2".into()];
            (config.into(), "h2")
        }
        Role::Server => {
            let mut config = ours::server_config(&bench.strict, &bench.good, None)?;
            config.alpn_protocols = vec![b"h2".into()];
            (config.into(), "sm/1,h2")
        }
    };
    let met = bench
        .meeting(own)
        .server_auth(&bench.good)
        .peer(&["--alpn", peers])
        .run()?;
    negotiated(&met, GCM, 1)?;
    met.peer_saw("alpn", &["h2"])?;
    met.we_saw("alpn", |seen| seen.alpn.clone(), &[Some("h2".into())])?;
    Ok(())
}

/// All was done, with the same suite and group at both ends of each connection.
fn negotiated(met: &Met, suite: &str, connections: usize) -> Result {
    let code_point = if suite == CCM {
        TLS_SM4_CCM_SM3
    } else {
        TLS_SM4_GCM_SM3
    };
    met.succeeded()?;
    met.peer_saw("version", &vec!["TLSv1.3"; connections])?;
    met.peer_saw("cipher", &vec![suite; connections])?;
    met.peer_saw("group", &vec!["curveSM2"; connections])?;
    met.peer_saw("verify", &vec!["0"; connections])?;
    met.we_saw(
        "suite",
        |seen| seen.suite,
        &vec![Some(code_point); connections],
    )?;
    met.we_saw(
        "group",
        |seen| seen.group,
        &vec![Some(CURVE_SM2); connections],
    )?;
    met.we_saw(
        "conforming",
        |seen| seen.conforming,
        &vec![true; connections],
    )?;
    Ok(())
}

/// Whose CertificateVerify the peer saw, each under sm2sig_sm3.
fn signed(met: &Met, ours: bool, peers: bool) -> Result {
    let name = |signed| if signed { "sm2sig_sm3" } else { "-" };
    met.peer_saw("peer_sigalg", &[name(ours)])?;
    met.peer_saw("sigalg", &[name(peers)])?;
    Ok(())
}
