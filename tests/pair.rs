//! A client and a server in memory: everything that the TLS 1.3 provider must do, and everything
//! that it must refuse, with the error on one side and the alert that the other side sees.

mod common;

use shangmi::tls13::{CURVE_SM2, Negotiated, TLS_SM4_CCM_SM3, TLS_SM4_GCM_SM3, negotiated};

use common::*;

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
